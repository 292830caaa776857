"""Recipe sections for networks: which one, and which of its parameters train. Checking a recipe needs no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from toolkit.bounds import Share, Width
from toolkit.models.cnn_presets import PRESETS, CnnForm, Preset
from toolkit.recipe.sections import InferenceSection, StageSection
from toolkit.section import Section

__all__ = ["BackboneModel", "CnnModel", "ImageStage", "Inference", "ModelChoice", "Share"]

Window = Annotated[int, Field(ge=1, le=1024)]


class CnnModel(Section):
    """A plain convolutional network; keys that are left out are the preset's."""

    name: Literal["cnn"]
    preset: Preset | None = Field(
        None,
        description="`mnist`: 16-32, fc 128. `catsdogs`: 16-32-64, fc 512. `cifar10`: 16-32, fc 512. `lenet`: 5×5 "
        "kernels, 6-16, fc 120-84.",
    )
    channels: Annotated[list[Width], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="Outputs of each block's convolution."
    )
    kernel: Window | None = Field(None, description="Side of the convolutions' kernels; 3 without a preset.")
    padding: Annotated[int, Field(ge=0, le=1024)] | None = Field(
        None, description="Pixels of zeros around each convolution's input; 1 without a preset."
    )
    pool: Window | None = Field(None, description="Side of each block's max pooling, 1 for none; 2 without a preset.")
    hidden: Annotated[list[Width], Field(max_length=1000)] | None = Field(
        None, description="Widths of the fully connected layers before the last; [128] without a preset."
    )
    dropout: Share | None = Field(None, description="Share of the last layer's inputs that training leaves out.")
    init: Literal["torch", "he"] = Field(
        "torch", description="First weights: torch's own, or He's (2015), which suit deep networks with ReLU."
    )
    batch_norm: bool | None = Field(None, description="Normalise each convolution's output over the batch.")

    @model_validator(mode="after")
    def _has_channels(self) -> CnnModel:
        if self.preset is None and self.channels is None:
            raise ValueError("give a preset or channels")
        return self

    def form(self) -> CnnForm:
        """The preset with the recipe's own keys in place of its."""
        base = PRESETS[self.preset] if self.preset else CnnForm(channels=())
        own = self.model_dump(exclude={"name", "preset", "init"}, exclude_none=True)
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in own.items()}
        return CnnForm(**{**vars(base), **values})


class WeightsFile(Section):
    """A file of weights, and how its tensors find their places."""

    file: str = Field(description="Local file: .safetensors, .pt or .pth.")
    match: Literal["names", "shapes"] = Field(
        default="names",
        description="`shapes` goes by the order and shapes of the tensors, for files of another implementation of the "
        "same network; refused where that is not one to one.",
    )


class BackboneModel(Section):
    """A classifier of torchvision or timm with a head for the recipe's classes."""

    name: Literal["backbone"]
    arch: str = Field(
        "resnet18",
        description="Name in torchvision, else in timm; `torchvision:` or `timm:` in front says which is meant.",
    )
    pretrained: bool | Literal["auto"] | None = Field(
        None,
        description="Start from the library's weights; true unless `weights` is given. `auto` starts untrained where "
        "they cannot be had, and says so.",
    )
    weights: str | WeightsFile | None = Field(
        None, description="Start from this local file: .safetensors, .pt or .pth; it wins over `pretrained: auto`."
    )
    head: Literal["keep", "new"] | None = Field(
        None,
        description="The head in `weights`: `keep` refuses one for another number of classes, `new` starts a new one. "
        "By default one that fits is kept; what was done is said.",
    )
    freeze: Literal["none", "backbone"] = Field(
        "none", description="`backbone` trains the head alone, in stages that do not say otherwise."
    )
    dropout: Share = Field(0.0, description="Share of the features that the head does not see in training.")
    drop_path: Share = Field(
        0.0,
        description="Largest share of residual branches that training leaves out (stochastic depth); 0 is none, "
        "also in networks that come with another value.",
    )

    @model_validator(mode="after")
    def _one_start(self) -> BackboneModel:
        if self.weights is not None and self.pretrained is True:
            raise ValueError("give either pretrained or weights, not both")
        if self.head is not None and self.weights is None:
            raise ValueError("head says what becomes of the head in weights; give weights too")
        return self

    @property
    def wants_pretrained(self) -> bool | Literal["auto"]:
        """``pretrained`` with its default filled in."""
        if self.weights is not None:
            return False
        return True if self.pretrained is None else self.pretrained

    @property
    def weights_file(self) -> WeightsFile | None:
        """``weights`` with its defaults filled in."""
        return WeightsFile(file=self.weights) if isinstance(self.weights, str) else self.weights


ModelChoice = Annotated[CnnModel | BackboneModel, Field(discriminator="name")]


class ImageStage(StageSection):
    """A part of training, and what trains in it."""

    train: Literal["all", "head"] | Annotated[list[str], Field(max_length=1000)] | None = Field(
        None,
        description="`all`, `head`, or patterns of parameter or module names such as `layer4.*`; by default as "
        "`model.freeze` says.",
    )


class Inference(InferenceSection):
    """How the trained network answers, in the final evaluation and in prediction."""

    tta: Literal["none", "mirror", "crops"] = Field(
        "none",
        description="Test-time augmentation: the mean probability over several views of an image. `mirror`: the image "
        "and its mirror image; `crops`: those, and four corners and the centre of each, enlarged.",
    )
