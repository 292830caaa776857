"""The recipe of a SimSiam: pictures, views, network."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from toolkit import Recipe, Section

Count = Annotated[int, Field(ge=1)]


class DrawnSource(Section):
    """Shapes on textured ground, drawn when they are needed."""

    name: Literal["drawn"] = "drawn"
    train: Count = Field(1500, description="Pictures to learn from.")
    val: Count = Field(128, description="Pictures for validation.")


class FolderSource(Section):
    """Every picture below a folder."""

    name: Literal["folder"]
    root: str = Field(description="The folder.")
    val: float = Field(0.05, ge=0, lt=1, description="Share of the pictures held out for validation.")


Source = Annotated[DrawnSource | FolderSource, Field(discriminator="name")]


class SimSiamData(Section):
    """Pictures without labels."""

    source: Source = Field(default_factory=DrawnSource, description="Where pictures come from.")
    size: int = Field(32, ge=16, le=512, description="Height and width of a view, in pixels.")
    smallest: float = Field(0.4, gt=0, le=1, description="Least share of a picture that a view shows.")


class SimSiamModel(Section):
    """A backbone with SimSiam's two heads."""

    arch: str = Field(
        "resnet18",
        pattern=r"^(resnet(18|34|50)|timm:[\w.-]+)$",
        description="The backbone, untrained: resnet18, 34 or 50 of torchvision, or timm:NAME.",
    )
    projection: int = Field(256, ge=8, description="Width of the projection.")
    prediction: int = Field(64, ge=4, description="Width of the predictor's bottleneck.")


class SimSiamRecipe(Recipe):
    """A backbone from pictures without labels. It answers nothing by itself, so there is no bundle."""

    predicts: ClassVar[bool] = False

    data: SimSiamData = Field(default_factory=SimSiamData, description="Pictures without labels.")
    model: SimSiamModel = Field(default_factory=SimSiamModel, description="The network.")
