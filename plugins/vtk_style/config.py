"""What a style-transfer recipe says."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_serializer, model_validator

from toolkit import Recipe, Section, StageSection, optim
from toolkit.bounds import MOST_STAGES, Amount, History, Positive, Steps
from toolkit.recipe import InferenceSection, LoaderSection, TrainSection
from vtk_style.pyramid import level_sizes, shared_steps

Side = Annotated[int, Field(ge=16, le=20_000)]
Channel = Annotated[float, Field(ge=0, le=1)]


class RegionSection(Section):
    """Where in the content a style goes."""

    mask: str = Field(description="Picture of the content's size; white is the region.")
    feather: float = Field(0.0, ge=0, le=0.5, description="Softness of its edge, as a share of the longer side.")
    invert: bool = Field(False, description="Black is the region instead.")


class StyleSource(Section):
    """One style; `b.jpg` and `b.jpg:0.7` are short for an image, and for an image with a weight."""

    image: str = Field(description="Picture file, or sklearn:flower.jpg.")
    weight: Positive = Field(1.0, description="Share among the styles of the same region; shares add up to 1.")
    region: RegionSection | None = Field(None, description="Part of the content that takes this style.")
    texture_mask: str | None = Field(None, description="Picture of the style's size; only its white part counts.")


def style_source(value: Any) -> Any:
    """The section that ``b.jpg`` or ``b.jpg:0.7`` is short for."""
    if not isinstance(value, str):
        return value
    head, colon, tail = value.rpartition(":")
    try:
        weight = float(tail) if colon else None
    except ValueError:
        weight = None
    if weight is not None and not 0 < weight < math.inf:
        raise ValueError(f"the weight in {value!r} must be a number above 0")
    return {"image": value} if weight is None else {"image": head, "weight": weight}


class DataSection(Section):
    """The pictures."""

    content: str = Field(description="Picture to be painted: a file, or sklearn:china.jpg.")
    styles: list[Annotated[StyleSource, BeforeValidator(style_source, json_schema_input_type=StyleSource | str)]] = (
        Field(
            min_length=1,
            max_length=1000,
            description="Pictures whose texture it takes, as FILE, FILE:WEIGHT or sections.",
        )
    )
    style_scale: float = Field(
        1.0, gt=0, le=8, description="Longer side of a style against that of the result; larger makes larger strokes."
    )
    alpha: Literal["composite", "keep"] = Field(
        "composite", description="Lay a transparent content on `background`, or also keep its transparency."
    )
    background: list[Channel] = Field(
        [1.0, 1.0, 1.0], min_length=3, max_length=3, description="Red, green and blue under transparent pixels."
    )


class ModelSection(Section):
    """The network and where it is tapped."""

    weights: str = Field(
        "imagenet", description="`imagenet` (torchvision's VGG-19), `random` (seeded filters), or a file with a copy."
    )
    content_layers: list[str] = Field(
        ["conv_4"], min_length=1, max_length=100, description="Layers of the content term."
    )
    style_layers: list[str] = Field(
        ["conv_1", "conv_2", "conv_3", "conv_4", "conv_5"],
        min_length=1,
        max_length=100,
        description="Layers of the style terms.",
    )
    pooling: Literal["max", "avg"] = Field("max", description="Average pooling gives slightly smoother results.")


class LossSection(Section):
    """Weights of the terms."""

    content: Amount = Field(1.0, description="w_c, of mean((F − P)²).")
    style: Amount = Field(1e6, description="w_s, of the sum over layers of mean((G − A)²).")
    tv: Amount = Field(0.0, description="w_tv, of the total variation.")
    tv_kind: Literal["l2", "l1"] = Field("l2", description="Mean of squared differences, or of absolute ones.")

    @model_validator(mode="after")
    def _something_counts(self) -> Self:
        if not (self.content or self.style or self.tv):
            raise ValueError("all weights are 0, so there is nothing to optimise")
        return self


class PyramidSection(Section):
    """Coarse to fine, where no stages are listed."""

    size: Side = Field(512, description="Longer side of the result, in pixels.")
    steps: Steps = Field(600, description="Optimizer steps in all; each level takes half of the coarser one's.")
    levels: int = Field(4, ge=1, le=8, description="Sizes, each twice the one before; none below 64 but the last.")


class InitSection(Section):
    """What the optimisation begins with."""

    name: Literal["content", "noise", "statistics", "file"] = Field(
        "content", description="The content, uniform noise, noise with the first style's colours, or a picture."
    )
    file: str | None = Field(None, description="The picture, for `file`.")

    @model_validator(mode="after")
    def _file_goes_with_file(self) -> Self:
        if (self.name == "file") != (self.file is not None):
            raise ValueError("init.file goes with init.name: file, and only with it")
        return self


class OutputSection(Section):
    """What is written."""

    path: str | None = Field(None, description="The result; by default result.png in the run's directory.")
    bits: Literal[8, 16] = Field(8, description="Bits of each channel.")
    quality: int = Field(95, ge=1, le=100, description="Of a JPEG.")
    preview_every: Steps = Field(25, description="Steps between two previews.")


class MemorySection(Section):
    """How large images are cut up."""

    tile: Literal["auto", "whole"] | Side = Field(
        "auto", description="`auto` chooses from the free memory; a number is the side of a tile in pixels."
    )


class LBFGS(optim.LBFGS):
    """L-BFGS with one evaluation for each step.

    A short history is not only smaller: on the demo's photographs at 128 pixels, 6 pairs ended 1 to 4 % lower than 10
    after 50 to 300 steps, and pairs in bf16 within 0.4 % of those in fp32.
    """

    history: History = Field(6, description="Curvature pairs that are kept.")
    history_dtype: Literal["fp32", "bf16"] = Field(
        "bf16", description="bf16 halves what the history takes; measured losses stay within 1 %."
    )
    line_search: Literal["none"] = Field("none", description="A step that goes wrong is halved instead.")


class StyleTrain(TrainSection):
    """One evaluation of the whole objective is a step, so batches have no meaning."""

    batch_size: Literal[1] = Field(1, description="There is one image.")
    accumulate: Literal[1] = Field(1, description="There is one image.")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        description="`auto` is settled by what the hardware has and written into the run's recipe: bf16 on a CPU with "
        "AMX or AVX-512 bf16 and on GPUs from compute capability 8.0, else fp32.",
    )
    best: Literal["last"] = Field("last", description="Stages have losses of different sizes; the last image is kept.")


class StyleInference(InferenceSection):
    """The result is a picture, and no model is left to answer."""

    precision: Literal["fp32"] = Field("fp32", description="No model is left to answer.")


class StyleLoader(LoaderSection):
    """There is nothing to load in the background."""

    workers: Annotated[int, Field(ge=0, le=1024)] | Literal["auto"] = Field(0, description="Workers; none are needed.")


Optimizer = Annotated[LBFGS | optim.Adam, Field(discriminator="name")]


class StyleStage(StageSection):
    """One size of the image."""

    size: Side = Field(description="Longer side in pixels.")
    optimizer: Optimizer | None = Field(None, description="Instead of the recipe's optimizer.")


class StyleRecipe(Recipe):
    """A recipe of the task `style`."""

    predicts: ClassVar[bool] = False

    data: DataSection
    model: ModelSection = Field(default_factory=ModelSection)  # type: ignore[arg-type]
    loss: LossSection = Field(default_factory=LossSection)  # type: ignore[arg-type]
    pyramid: PyramidSection = Field(default_factory=PyramidSection)  # type: ignore[arg-type]
    init: InitSection = Field(default_factory=InitSection)  # type: ignore[arg-type]
    colors: Literal["style", "luminance", "ycbcr", "covariance"] = Field(
        "style", description="Whose colours: the style's, or the content's kept in one of three ways."
    )
    output: OutputSection = Field(default_factory=OutputSection)  # type: ignore[arg-type]
    memory: MemorySection = Field(default_factory=MemorySection)  # type: ignore[arg-type]
    train: StyleTrain = Field(default_factory=StyleTrain)  # type: ignore[arg-type]
    inference: StyleInference = Field(default_factory=StyleInference)  # type: ignore[arg-type]
    loader: StyleLoader = Field(default_factory=StyleLoader)  # type: ignore[arg-type]
    optimizer: Optimizer = Field(default_factory=LBFGS)  # type: ignore[arg-type]
    stages: list[StyleStage] = Field(
        default_factory=list,
        max_length=MOST_STAGES,
        description="Sizes with their own steps, instead of `pyramid`.",
    )

    @model_validator(mode="before")
    @classmethod
    def _stages_from_pyramid(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("stages"):
            return values
        try:
            pyramid = PyramidSection.model_validate(values.get("pyramid") or {})
            output = OutputSection.model_validate(values.get("output") or {})
        except ValueError:
            return values  # the fields' own validation says what is wrong, and where
        return {**values, "stages": pyramid_stages(pyramid, output.preview_every)}

    @model_validator(mode="after")
    def _one_source_of_sizes(self) -> Self:
        if "pyramid" in self.model_fields_set and not self._from_pyramid():
            raise ValueError("give either pyramid or stages, not both")
        return self

    @model_serializer(mode="wrap")
    def _without_derived_stages(self, handler: Any) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        if self._from_pyramid():
            found.pop("stages", None)
        else:
            found.pop("pyramid", None)
        return found

    def _from_pyramid(self) -> bool:
        derived = pyramid_stages(self.pyramid, self.output.preview_every)
        return [stage.model_dump(exclude_unset=True) for stage in self.stages] == derived

    @property
    def sizes(self) -> list[int]:
        """Longer sides of the stages."""
        return [stage.size for stage in self.stages]


def pyramid_stages(pyramid: PyramidSection, epoch: int) -> list[dict[str, Any]]:
    """The stages of a pyramid; an epoch is the time between two previews."""
    sizes = level_sizes(pyramid.size, pyramid.levels)
    return [
        {"name": f"{size}px", "size": size, "steps": steps, "steps_per_epoch": min(epoch, steps)}
        for size, steps in zip(sizes, shared_steps(pyramid.steps, len(sizes)), strict=True)
    ]
