"""The recipe of an image classifier: where images come from, the network, the loss, and what each stage trains."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from toolkit import Recipe, Section
from toolkit.bounds import MOST_STAGES, Exponent, Factor, Positive, Share
from toolkit.data import CoreSource, LabelName
from toolkit.labelled_images import ImageData, ImageStage, Inference, ModelChoice
from vtk_classification.drawn import Drawn

SourceChoice = Annotated[CoreSource | Drawn, Field(discriminator="name")]


class ClassificationData(ImageData):
    """Labelled images, and how they reach the network."""

    source: SourceChoice = Field(description="Where the images are and how they are labelled.")
    sampler: Literal["none", "weighted", "oversample", "undersample"] = Field(
        "none",
        description="How training images are drawn. `weighted`: with replacement, every class equally often; "
        "`oversample`: images of small classes several times, as often as the largest has images; `undersample`: of "
        "each class only as many as the smallest has, others in each epoch.",
    )

    @field_validator("classes")
    @classmethod
    def _tells_apart(cls, names: list[str] | None) -> list[str] | None:
        if names is not None and len(names) < 2:
            raise ValueError(f"there is only one class, {names[0]!r}; telling classes apart takes two")
        return names


class _Weighted(Section):
    """What the losses share: weights of classes, and smoothing."""

    class_weights: Literal["none", "auto", "effective_number"] | dict[LabelName, Positive] = Field(
        "none",
        description="Factor of each class in the loss. `auto`: images / (classes · images of the class); "
        "`effective_number`: less far from 1, because the more images a class has, the less a further one adds (Cui et "
        "al., 2019); a mapping gives those of single classes, 1 for the others.",
    )
    beta: Factor | None = Field(
        None, description="For `effective_number`: the nearer to 1, the nearer to `auto`; 0.999 by default."
    )
    label_smoothing: Share = Field(0.0, description="Share of each label that is spread evenly over all classes.")

    @model_validator(mode="after")
    def _beta_has_a_use(self) -> Self:
        if self.beta is not None and self.class_weights != "effective_number":
            raise ValueError("beta goes with class_weights: effective_number")
        return self


class CrossEntropyLoss(_Weighted):
    """Softmax cross-entropy."""

    name: Literal["cross_entropy"] = "cross_entropy"


class FocalLoss(_Weighted):
    """Focal loss (Lin et al., 2017): images that are answered well already count less."""

    name: Literal["focal"]
    gamma: Exponent = Field(2.0, description="How much less; 0 is cross-entropy.")


LossChoice = Annotated[CrossEntropyLoss | FocalLoss, Field(discriminator="name")]


class ClassificationRecipe(Recipe):
    """An image classifier: one class for each image."""

    data: ClassificationData = Field(description="Labelled images, and how they reach the network.")
    model: ModelChoice = Field(description="The network.")
    loss: LossChoice = Field(default_factory=CrossEntropyLoss, description="What is minimised.")  # type: ignore[arg-type]
    inference: Inference = Field(default_factory=Inference, description="How the trained network answers.")  # type: ignore[arg-type]
    stages: list[ImageStage] = Field(
        default_factory=list,
        max_length=MOST_STAGES,
        description="Parts of the run, one after another; by default one, as `train` says.",
    )
