"""The recipe's data section, as tasks on labelled images share it; a task adds its ``source``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from toolkit.data.augment import Augment
from toolkit.data.splits import SplitSection
from toolkit.recipe.section import Section

__all__ = ["ImageData", "MeanStd"]

Width = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=1, le=8192)]


class MeanStd(Section):
    """Numbers of one's own for normalising."""

    mean: list[float] = Field(min_length=1, max_length=3, description="Mean of each channel, for values in [0, 1].")
    std: list[Annotated[float, Field(gt=0)]] = Field(
        min_length=1, max_length=3, description="Standard deviation of each channel, for values in [0, 1]."
    )


class ImageData(Section):
    """How labelled images are split and how they reach the network."""

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
