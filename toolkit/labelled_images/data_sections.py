"""The recipe's data section, as tasks on labelled images share it; a task adds its ``source``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from toolkit.bounds import Deviation, Factor, Mean, PictureSide
from toolkit.data.augment.augment import Augment
from toolkit.data.io.resize import Interpolation
from toolkit.data.loading.bad_images import OnBadImage
from toolkit.data.loading.image_cache import CacheChoice
from toolkit.data.sources.source import Source
from toolkit.data.sources.unicode_forms import LabelName
from toolkit.data.splits.splits import SplitSection
from toolkit.section import Section

__all__ = ["Erase", "ImageData", "MeanStd", "Mix"]

Alpha = Annotated[float, Field(ge=1e-3, le=1000)]


def _each_once(names: list[str]) -> list[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{name!r} stands in it twice")
        seen.add(name)
    return names


ClassNames = Annotated[list[Annotated[LabelName, Field(min_length=1)]], Field(min_length=1), AfterValidator(_each_once)]
"""Classes or labels that a recipe chooses."""


class MeanStd(Section):
    """Numbers of one's own for normalising."""

    mean: list[Mean] = Field(min_length=1, max_length=3, description="Mean of each channel, for values in [0, 1].")
    std: list[Deviation] = Field(
        min_length=1, max_length=3, description="Standard deviation of each channel, for values in [0, 1]."
    )


class Mix(Section):
    """Each training batch is mixed with itself; targets are mixed alike."""

    mixup: Alpha | None = Field(
        None, description="Mixup: images faded into one another, by shares from Beta(α, α). This is α, e.g. 0.2."
    )
    cutmix: Alpha | None = Field(
        None, description="CutMix: a rectangle of another image pasted in, by areas from Beta(α, α). This is α, e.g. 1."
    )
    probability: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="Share of the batches; with both methods each is taken half the time."
    )

    @model_validator(mode="after")
    def _mixes(self) -> Mix:
        if self.mixup is None and self.cutmix is None:
            raise ValueError("give mixup, cutmix or both")
        return self


class Erase(Section):
    """A rectangle of some training images is wiped out."""

    probability: Annotated[float, Field(gt=0, le=1)] = Field(0.25, description="Share of the images.")
    smallest: Factor = Field(0.02, description="Least share of the image's area.")
    largest: Factor = Field(0.33, description="Largest share of the image's area.")
    fill: Literal["mean", "noise"] = Field("mean", description="What takes its place.")

    @model_validator(mode="after")
    def _ordered(self) -> Erase:
        if self.smallest > self.largest:
            raise ValueError(f"smallest ({self.smallest}) is above largest ({self.largest})")
        return self


class ImageData(Section):
    """How labelled images are split and how they reach the network."""

    several_labels: ClassVar[bool] = False
    """Whether a sample has any number of labels rather than one."""

    classes: ClassNames | None = Field(
        None,
        description="The source's classes that take part, in the order of the model's outputs; by default all. Images "
        "of other classes are left aside, and `vtk check` says how many.",
    )
    split: SplitSection = Field(
        default_factory=SplitSection,  # type: ignore[arg-type]
        description="What is held out where the source has no split of its own.",
    )
    image_size: PictureSide = Field(224, description="Side of the square images that the network sees, in pixels.")
    resize: PictureSide | Literal["auto", "squeeze"] = Field(
        "auto",
        description="Evaluation brings the short side to this many pixels and cuts out the centre. `squeeze` resizes "
        "the whole image whatever its shape. `auto` is `squeeze` for images in memory; for files, what the backbone's "
        "pretrained weights are evaluated with (their share cut away, squashed or bordered where they want that), 8/7 "
        "of `image_size` for a `cnn`.",
    )
    interpolation: Literal["auto"] | Interpolation = Field(
        "auto",
        description="How evaluation resizes, with averaging along each side that shrinks. `area`: means over areas; "
        "the others are Pillow's filters. `auto`: what the backbone's pretrained weights want, `area` for a `cnn`.",
    )
    grey: bool = Field(False, description="One channel instead of red, green and blue.")
    augment: Augment = Field("standard", description="What happens to training images, and to those alone.")
    normalize: Literal["auto", "imagenet", "half"] | MeanStd = Field(
        "auto",
        description="What is taken off and divided by. `imagenet`: ImageNet's mean and deviation; `half`: 0.5 and 0.5; "
        "`auto`: what the backbone's pretrained weights want, `half` for a `cnn`.",
    )
    mix: Mix | None = Field(None, description="Mix training images with one another.")
    erase: Erase | None = Field(None, description="Erase a part of training images at random.")
    on_bad_image: OnBadImage = Field(
        "error",
        description="A file that cannot be read while training: `error` stops the run; `skip` leaves the image out, "
        "puts no other in its place, and lists it in the run's `skipped.json` and in the report.",
    )
    bad_image_limit: Annotated[float, Field(ge=0, le=1)] = Field(
        0.01,
        description="With `skip`: the share of a split's images that may be left out, rounded up to whole images; "
        "beyond it the run stops.",
    )
    shrink: PictureSide | None = Field(
        None,
        description="Training images whose short side is longer are brought down to this many pixels as they are "
        "read, before augmentation: a cache gets small, and crops of a small part lose detail. At least `image_size`.",
    )
    cache: CacheChoice = Field(
        "auto",
        description="Keep decoded images, so that later epochs need not decode: `ram` in this process's memory, `disk` "
        "in files that later runs find again, `auto` in memory where a split takes less than 1 GB. Where they are kept "
        "changes no result.",
    )
    limit: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        None, description="Use at most so many images of each split, for a quick try; each class keeps one."
    )

    @model_validator(mode="after")
    def _tell_source(self) -> ImageData:
        source = getattr(self, "source", None)
        if isinstance(source, Source) and self.classes is not None:
            source.choose(self.classes)
        return self

    @model_validator(mode="after")
    def _leaves_enough(self) -> ImageData:
        if self.shrink is not None and self.shrink < self.image_size:
            raise ValueError(f"shrink ({self.shrink}) must not be below image_size ({self.image_size})")
        return self
