"""The recipe of a segmentation: pictures with masks, network, loss."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from toolkit import Recipe, Section

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


class DrawnSource(Section):
    """Discs, squares, triangles and stars on textured ground, drawn when they are needed."""

    name: Literal["drawn"] = "drawn"
    train: Count = Field(1500, description="Pictures for training.")
    val: Count = Field(200, description="Pictures for validation.")
    test: Count = Field(300, description="Pictures for the final test.")


class FolderSource(Section):
    """Pictures in `images/`, masks of the same stem in `masks/`."""

    name: Literal["folder"]
    root: str = Field(description="The folder that holds `images` and `masks`.")
    classes: list[str] = Field(min_length=2, description="Names of the classes; a mask's pixel holds the number.")
    upright: bool = Field(
        True, description="Masks fit the pictures turned as EXIF says; false: the pictures as they are stored."
    )
    val: Share = Field(0.15, description="Share of the pictures held out for validation.")
    test: Share = Field(0.15, description="Share of the pictures held out for the final test.")


Source = Annotated[DrawnSource | FolderSource, Field(discriminator="name")]


class SegmentationData(Section):
    """Pictures, their masks, and how they reach the network."""

    source: Source = Field(default_factory=DrawnSource, description="Where pictures and masks come from.")
    size: int = Field(64, ge=16, le=1024, description="Height and width of what the network sees, in pixels.")
    augment: bool = Field(True, description="Move, turn and recolour training pictures; masks move along.")


class UNetModel(Section):
    """A U-Net (Ronneberger et al., 2015) with batch norm."""

    width: int = Field(16, ge=4, description="Channels at full resolution; doubled at each level below.")
    depth: int = Field(3, ge=1, le=6, description="How often the resolution is halved.")


class SegmentationLoss(Section):
    """Cross-entropy and soft Dice."""

    dice: float = Field(1.0, ge=0, description="Weight of the Dice term beside cross-entropy's 1.")


class SegmentationRecipe(Recipe):
    """A class for every pixel."""

    data: SegmentationData = Field(default_factory=SegmentationData, description="Pictures with masks.")
    model: UNetModel = Field(default_factory=UNetModel, description="The network.")
    loss: SegmentationLoss = Field(default_factory=SegmentationLoss, description="What is minimised.")

    @model_validator(mode="after")
    def _can_be_halved(self) -> Self:
        step = 2**self.model.depth
        if self.data.size % step:
            raise ValueError(
                f"data.size must be a multiple of {step}, which model.depth {self.model.depth} halves it to"
            )
        return self
