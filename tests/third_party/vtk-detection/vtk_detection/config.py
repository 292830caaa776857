"""The recipe of a detector: pictures with boxes, network, what counts as found."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from toolkit import Recipe, Section

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


class DrawnSource(Section):
    """Discs, squares and triangles on textured ground, drawn when they are needed."""

    name: Literal["drawn"] = "drawn"
    train: Count = Field(1000, description="Pictures for training.")
    val: Count = Field(100, description="Pictures for validation.")
    test: Count = Field(200, description="Pictures for the final test.")


class CocoSource(Section):
    """Pictures and a file of annotations in COCO's format. Crowds are left out."""

    name: Literal["coco"]
    annotations: str = Field(description="The JSON file.")
    images: str = Field(description="The folder to which its `file_name` refer.")
    upright: bool = Field(
        True, description="Boxes fit the pictures turned as EXIF says; false: the pictures as they are stored."
    )
    val: Share = Field(0.15, description="Share of the pictures held out for validation.")
    test: Share = Field(0.15, description="Share of the pictures held out for the final test.")


Source = Annotated[DrawnSource | CocoSource, Field(discriminator="name")]


class DetectionData(Section):
    """Pictures, their boxes, and how they reach the network."""

    source: Source = Field(default_factory=DrawnSource, description="Where pictures and boxes come from.")
    size: int = Field(96, ge=32, le=1333, description="Shorter side of what the network sees, in pixels.")
    augment: bool = Field(True, description="Mirror and recolour training pictures; boxes move along.")


class DetectionModel(Section):
    """FCOS (Tian et al., 2019) on a small backbone with a feature pyramid, untrained."""

    width: int = Field(16, ge=8, multiple_of=8, description="Channels of the backbone's first stage.")
    channels: int = Field(64, ge=32, multiple_of=32, description="Channels of the pyramid and of the heads.")


class Answers(Section):
    """What counts as found."""

    score: float = Field(0.4, gt=0, lt=1, description="Predictions show boxes of at least this score.")


class DetectionRecipe(Recipe):
    """Boxes and what is in them."""

    data: DetectionData = Field(default_factory=DetectionData, description="Pictures with boxes.")
    model: DetectionModel = Field(default_factory=DetectionModel, description="The network.")
    answers: Answers = Field(default_factory=Answers, description="What counts as found.")
