"""The recipe of an image classifier: where images come from, the network, the loss, and what each stage trains."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from toolkit import Recipe, Section
from toolkit.data.sections import ImageData
from toolkit.data.sources import CoreSource
from toolkit.models.sections import ImageStage, ModelChoice, Share
from vtk_classification.drawn import Drawn

SourceChoice = Annotated[CoreSource | Drawn, Field(discriminator="name")]


class ClassificationData(ImageData):
    """Labelled images, and how they reach the network."""

    source: SourceChoice = Field(description="Where the images are and how they are labelled.")


class CrossEntropy(Section):
    """Softmax cross-entropy."""

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Share = Field(0.0, description="Share of each label that is spread evenly over all classes.")


class ClassificationRecipe(Recipe):
    """An image classifier: one class for each image."""

    data: ClassificationData = Field(description="Labelled images, and how they reach the network.")
    model: ModelChoice = Field(description="The network.")
    loss: CrossEntropy = Field(default_factory=CrossEntropy, description="What is minimised.")  # type: ignore[arg-type]
    stages: list[ImageStage] = Field(  # type: ignore[assignment]
        default_factory=list, description="Parts of the run, one after another; by default one, as `train` says."
    )
