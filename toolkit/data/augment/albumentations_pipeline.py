"""Augmenting one picture with albumentations, by the sample's own draw."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from toolkit.data.augment.augment import Steps, build_transform, import_albumentations
from toolkit.data.augment.rng import Generators
from toolkit.data.io.decode import Encoded, pixels_of
from toolkit.data.preprocess import Preprocess
from toolkit.errors import ExitCode, VtkError
from toolkit.types.data import SampleIndex

__all__ = ["AugmentPipeline", "PerThread"]

Pixels = npt.NDArray[np.uint8]
T = TypeVar("T")


class PerThread(Generic[T]):
    """One object for each thread, made by ``make`` when first asked for. Pickles as its recipe."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._local = threading.local()

    def mine(self) -> T:
        try:
            found: T = self._local.found
        except AttributeError:
            found = self._local.found = self._make()
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return PerThread, (self._make,)


def _remedy(steps: Steps) -> str:
    """What a recipe can do about pictures that are smaller than what is cut out of them."""
    for step in steps:
        if "Crop" in step["name"] and isinstance(step.get("height"), int) and isinstance(step.get("width"), int):
            pad = f"{{name: PadIfNeeded, min_height: {step['height']}, min_width: {step['width']}}}"
            return f"; put {pad} before {step['name']}, crop less, or leave out pictures that are smaller than the crop"
    return ""


class AugmentPipeline:
    """Steps applied to each decoded picture, ending in the model's shape.

    A picture that the steps leave at another size is brought to the model's as in evaluation. The result depends on
    the picture and on the sample's (seed, epoch, index) alone: each thread owns a pipeline, and its generators are put
    to the sample's state before each picture. Picklable.

    Args:
        steps: as :func:`toolkit.data.augment.augment.steps_of` gives them.
        preprocess: the evaluation's geometry and channels.
    """

    takes_encoded = True

    def __init__(self, steps: Steps, preprocess: Preprocess) -> None:
        self.steps = steps
        self.preprocess = preprocess
        self._own = PerThread(self._build)

    def __call__(self, image: Pixels | Encoded, index: int = 0) -> Pixels:
        """RGB uint8 (h, w, 3), grey (h, w, 1) or a file, to uint8 (height, width, channels) of the model's input."""
        compose, generators = self._own.mine()
        generators.reset(index if isinstance(index, SampleIndex) else SampleIndex(index))
        image = pixels_of(image)
        if not image.flags.writeable:  # kept in a cache, and some transforms write to what they are given
            image = image.copy()
        if image.shape[2] == 1:  # many transforms know colour pictures only
            image = np.repeat(image, 3, axis=2)
        augmented = self._apply(compose, image)
        if augmented.shape[:2] != (self.preprocess.height, self.preprocess.width):
            augmented = self.preprocess.view(augmented)
        return self.preprocess.in_channels(augmented)

    def _apply(self, compose: Any, image: Pixels) -> Pixels:
        try:
            augmented: Pixels = compose(image=image)["image"]
        except MemoryError:
            raise
        except Exception as error:
            # albumentations and OpenCV each have their own exceptions for pictures that a step cannot take
            names = ", ".join(step["name"] for step in self.steps)
            raise VtkError(
                f"the augmentation failed on a picture of {image.shape[1]} x {image.shape[0]} pixels: {error}",
                hint=f"the steps are {names}{_remedy(self.steps)}",
                code=ExitCode.RECIPE,
            ) from error
        if augmented.dtype != np.uint8:
            raise VtkError(
                f"the augmentation turns pixels into {augmented.dtype}; they must stay uint8",
                hint="leave out steps like Normalize and ToFloat: normalisation follows on the device",
                code=ExitCode.RECIPE,
            )
        return augmented if augmented.ndim == 3 else augmented[..., None]

    def _build(self) -> tuple[Any, Generators]:
        compose = import_albumentations().Compose([build_transform(step) for step in self.steps])
        generators = Generators()
        compose.set_random_state(generators.numpy, generators.python)
        return compose, generators
