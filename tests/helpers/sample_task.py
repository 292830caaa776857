"""A task whose recipe has one of everything that a schema can hold. It imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from toolkit import Option, Recipe, Section, StageSection, hookimpl


class FolderData(Section):
    """Images in folders."""

    name: Literal["folder"] = "folder"
    path: Path = Field(Path("images"), description="Where the images are.")
    size: tuple[int, int] = Field((32, 32), description="Height and width.")
    classes: list[str] = Field(default_factory=list, description="Names of the classes.")
    weights: dict[str, float] = Field(default_factory=dict, description="Weight of each class.")


class TableData(Section):
    """Images listed in a table."""

    name: Literal["table", "list"] = "table"
    file: str = Field(description="The CSV file.")
    column: str = Field("label", description="Column of the labels.")


class Flip(Section):
    """Mirrors the image."""

    name: Literal["flip"]
    p: float = Field(0.5, ge=0, le=1, description="How often.")


class Crop(Section):
    """Cuts a part out."""

    name: Literal["crop"]
    size: Annotated[int, Field(ge=1)] | Annotated[list[int], Field(min_length=2, max_length=2)] = Field(
        8, description="Side, or height and width."
    )


class ModelSection(Section):
    """What is trained."""

    width: int = Field(16, ge=1, multiple_of=4, description="Channels.")
    dropout: float | None = Field(None, ge=0, lt=1, description="Dropout.")
    weights: Path | Literal["none"] = Field("none", description="File with weights.")
    note: str = Field("", max_length=20, description="A remark.")

    @model_validator(mode="after")
    def _wide_enough(self) -> ModelSection:
        if self.dropout is not None and self.width < 8:
            raise ValueError("dropout needs a width of at least 8")
        return self


class SampleStage(StageSection):
    """A stage that may freeze."""

    freeze: bool = Field(False, description="Keep the weights.")


class SampleRecipe(Recipe):
    """One of everything."""

    data: Annotated[FolderData | TableData, Field(discriminator="name")] = Field(
        default_factory=FolderData, description="The data."
    )
    augment: list[Annotated[Flip | Crop, Field(discriminator="name")]] = Field(
        default_factory=list, description="Changes to the images."
    )
    model: ModelSection = Field(default_factory=ModelSection, description="The model.")
    stages: list[SampleStage] = Field(
        default_factory=lambda: [SampleStage(epochs=1), SampleStage(epochs=2, freeze=True)], description="The stages."
    )


class SampleTask:
    """Answers what the loader asks; cannot train."""

    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        """The schema."""
        return SampleRecipe

    @hookimpl
    def vtk_options(self) -> list[Option]:
        """Three flags of three kinds."""
        return [
            Option("--path", key="data.path", help="Where the images are."),
            Option("--width", key="model.width", help="Channels."),
            Option("--class", key="data.classes", help="A class.", multiple=True),
        ]

    @hookimpl
    def vtk_data(self, recipe: Any, run: Any) -> None:
        """Nothing."""

    @hookimpl
    def vtk_model(self, recipe: Any, data: Any) -> None:
        """Nothing."""

    @hookimpl
    def vtk_loss(self, recipe: Any, data: Any) -> None:
        """Nothing."""


class CounterOptions(Section):
    """Counts."""

    every: int = Field(1, ge=1, description="How often.")
    to: Path | None = Field(None, description="Where to.")


class Counter:
    """An extension with options."""

    @hookimpl
    def vtk_config(self) -> type[Section]:
        """The options."""
        return CounterOptions


class Plain:
    """An extension without options."""

    @hookimpl
    def vtk_epoch_end(self, run: Any, metrics: Any) -> None:
        """Nothing."""


plugin = SampleTask()
counter = Counter()
plain = Plain()
