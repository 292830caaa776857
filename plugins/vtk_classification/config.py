"""The recipe of an image classifier: where images come from, the network, the loss, and what each stage trains."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from toolkit import Recipe, Section, StageSection
from toolkit.data.augment import Augment
from toolkit.data.sources import CoreSource
from toolkit.data.splits import SplitSection
from vtk_classification.drawn import Drawn
from vtk_classification.presets import PRESETS, CnnForm, Preset

Share = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=1, le=8192)]

SourceChoice = Annotated[CoreSource | Drawn, Field(discriminator="name")]


class MeanStd(Section):
    """Numbers of one's own for normalising."""

    mean: list[float] = Field(min_length=1, max_length=3, description="Mean of each channel, for values in [0, 1].")
    std: list[Annotated[float, Field(gt=0)]] = Field(
        min_length=1, max_length=3, description="Standard deviation of each channel, for values in [0, 1]."
    )


class ClassificationData(Section):
    """Labelled images, and how they reach the network."""

    source: SourceChoice = Field(description="Where the images are and how they are labelled.")
    split: SplitSection = Field(
        default_factory=SplitSection,  # type: ignore[arg-type]
        description="What is held out where the source has no split of its own.",
    )
    image_size: Side = Field(224, description="Side of the square images that the network sees, in pixels.")
    resize: Side | Literal["auto", "squeeze"] = Field(
        "auto",
        description="Evaluation brings the short side to this many pixels and cuts out the centre. `squeeze` resizes "
        "the whole image whatever its shape. `auto` is 8/7 of `image_size` for files, `squeeze` for images in memory.",
    )
    grey: bool = Field(False, description="One channel instead of red, green and blue.")
    augment: Augment = Field("standard", description="What happens to training images, and to those alone.")
    normalize: Literal["auto", "imagenet", "half"] | MeanStd = Field(
        "auto",
        description="What is taken off and divided by. `imagenet`: ImageNet's mean and deviation; `half`: 0.5 and 0.5; "
        "`auto`: what the backbone's pretrained weights want, `half` for a `cnn`.",
    )
    limit: Width | None = Field(None, description="Use at most so many images of each split, for a quick try.")


class CnnModel(Section):
    """A plain convolutional network; keys that are left out are the preset's."""

    name: Literal["cnn"]
    preset: Preset | None = Field(
        None,
        description="`mnist`: 16-32, fc 128. `catsdogs`: 16-32-64, fc 512. `cifar10`: 16-32, fc 512. `lenet`: 5×5 "
        "kernels, 6-16, fc 120-84.",
    )
    channels: Annotated[list[Width], Field(min_length=1)] | None = Field(
        None, description="Outputs of each block's convolution."
    )
    kernel: Width | None = Field(None, description="Side of the convolutions' kernels; 3 without a preset.")
    padding: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Pixels of zeros around each convolution's input; 1 without a preset."
    )
    pool: Width | None = Field(None, description="Side of each block's max pooling, 1 for none; 2 without a preset.")
    hidden: list[Width] | None = Field(
        None, description="Widths of the fully connected layers before the last; [128] without a preset."
    )
    dropout: Share | None = Field(None, description="Share of the last layer's inputs that training leaves out.")
    batch_norm: bool | None = Field(None, description="Normalise each convolution's output over the batch.")

    @model_validator(mode="after")
    def _has_channels(self) -> CnnModel:
        if self.preset is None and self.channels is None:
            raise ValueError("give a preset or channels")
        return self

    def form(self) -> CnnForm:
        """The preset with the recipe's own keys in place of its."""
        base = PRESETS[self.preset] if self.preset else CnnForm(channels=())
        own = self.model_dump(exclude={"name", "preset"}, exclude_none=True)
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in own.items()}
        return CnnForm(**{**vars(base), **values})


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
    weights: str | None = Field(None, description="Start from this local file: .safetensors, .pt or .pth.")
    freeze: Literal["none", "backbone"] = Field(
        "none", description="`backbone` trains the head alone, in stages that do not say otherwise."
    )
    dropout: Share = Field(0.0, description="Share of the features that the head does not see in training.")
    drop_path: Share = Field(0.0, description="Largest share of residual branches that training leaves out; timm only.")

    @model_validator(mode="after")
    def _one_start(self) -> BackboneModel:
        if self.weights is not None and self.pretrained:
            raise ValueError("give either pretrained or weights, not both")
        return self

    @property
    def wants_pretrained(self) -> bool | Literal["auto"]:
        """``pretrained`` with its default filled in."""
        return self.weights is None if self.pretrained is None else self.pretrained


ModelChoice = Annotated[CnnModel | BackboneModel, Field(discriminator="name")]


class CrossEntropy(Section):
    """Softmax cross-entropy."""

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Share = Field(0.0, description="Share of each label that is spread evenly over all classes.")


class ClassificationStage(StageSection):
    """A part of training, and what trains in it."""

    train: Literal["all", "head"] | list[str] | None = Field(
        None,
        description="`all`, `head`, or patterns of parameter or module names such as `layer4.*`; by default as "
        "`model.freeze` says.",
    )


class ClassificationRecipe(Recipe):
    """An image classifier: one class for each image."""

    data: ClassificationData = Field(description="Labelled images, and how they reach the network.")
    model: ModelChoice = Field(description="The network.")
    loss: CrossEntropy = Field(default_factory=CrossEntropy, description="What is minimised.")  # type: ignore[arg-type]
    stages: list[ClassificationStage] = Field(  # type: ignore[assignment]
        default_factory=list, description="Parts of the run, one after another; by default one, as `train` says."
    )
