"""The recipe of a multi-label classifier: images, network, loss, thresholds, stages."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from toolkit import Recipe, Section
from toolkit.bounds import MOST_STAGES, Exponent, Positive, Share
from toolkit.data import GroupBy, LabelName
from toolkit.labelled_images import ClassNames, ImageData, ImageStage, Inference, ModelChoice
from vtk_multilabel.csv_labels import CsvLabels
from vtk_multilabel.sources import SourceChoice

Probability = Annotated[float, Field(gt=0, lt=1)]

_NOT_BALANCED = (
    "{} evens out classes of which each image has one; with several labels in an image, more of one is more of "
    "another. Take `weighted`, which draws images with rare labels more often"
)


class MultilabelData(ImageData):
    """Images with any number of labels, and how they reach the network."""

    several_labels: ClassVar[bool] = True

    classes: ClassNames | None = Field(
        None,
        description="The source's labels that take part, in the order of the model's outputs; by default all. An image "
        "with none of them stays, as an example of their absence; `vtk check` counts both.",
    )
    source: SourceChoice = Field(description="Where the images are and how they are labelled.")
    sampler: Literal["none", "weighted"] = Field(
        "none",
        description="`weighted` draws training images in proportion to how much rarer their rarest label is than the "
        "commonest.",
    )

    @field_validator("sampler", mode="before")
    @classmethod
    def _possible(cls, value: object) -> object:
        if value in ("oversample", "undersample"):
            raise ValueError(_NOT_BALANCED.format(value))
        return value

    @model_validator(mode="after")
    def _group_is_no_label(self) -> MultilabelData:
        group = self.split.group
        if isinstance(self.source, CsvLabels) and isinstance(group, GroupBy) and group.column is not None:
            self.source.group_by(group.column)
        return self


class BinaryCrossEntropyLoss(Section):
    """Sigmoid and binary cross-entropy for each label."""

    name: Literal["bce"] = "bce"
    pos_weight: Literal["none", "auto"] | dict[LabelName, Positive] = Field(
        "none",
        description="Factor of each label's positives: `auto` takes negatives / positives of the training data; a "
        "mapping gives those of single labels, 1 for the others.",
    )
    label_smoothing: Share = Field(0.0, description="ε: a label that is there counts 1 - ε/2, one that is not ε/2.")


class FocalLoss(Section):
    """Focal loss (Lin et al., 2017): what is answered well already counts less."""

    name: Literal["focal"]
    gamma: Exponent = Field(2.0, description="How much less; 0 is cross-entropy.")
    alpha: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="Share of the positives in the loss, 1 - alpha that of the negatives; null for neither."
    )
    label_smoothing: Share = Field(0.0, description="As for `bce`.")


class AsymmetricLoss(Section):
    """Asymmetric loss (Ridnik et al., 2021): easy negatives, of which most images have many, count least."""

    name: Literal["asymmetric"]
    gamma_pos: Exponent = Field(1.0, description="Focusing of the positives.")
    gamma_neg: Exponent = Field(4.0, description="Focusing of the negatives.")
    margin: Share = Field(0.05, description="Negatives answered with less probability than this count nothing.")
    label_smoothing: Share = Field(0.0, description="As for `bce`.")


LossChoice = Annotated[BinaryCrossEntropyLoss | FocalLoss | AsymmetricLoss, Field(discriminator="name")]


class MultilabelRecipe(Recipe):
    """A classifier that gives each image any number of labels."""

    data: MultilabelData = Field(description="Labelled images, and how they reach the network.")
    model: ModelChoice = Field(description="The network.")
    loss: LossChoice = Field(default_factory=BinaryCrossEntropyLoss, description="What is minimised.")  # type: ignore[arg-type]
    thresholds: Literal["tuned"] | Probability | dict[LabelName, Probability] = Field(
        "tuned",
        description="Probability from which on a label counts as there. `tuned` takes for each label what gives the "
        "best F1 on validation; a mapping gives single labels, 0.5 for the others.",
    )
    inference: Inference = Field(default_factory=Inference, description="How the trained network answers.")  # type: ignore[arg-type]
    stages: list[ImageStage] = Field(
        default_factory=list,
        max_length=MOST_STAGES,
        description="Parts of the run, one after another; by default one, as `train` says.",
    )
