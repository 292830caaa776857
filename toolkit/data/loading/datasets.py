"""Labelled pictures as the loader wants them: from files or from memory, a whole batch at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from toolkit.data.augment.albumentations_pipeline import AugmentPipeline
from toolkit.data.augment.augment import AugmentStep, Preset, steps_of
from toolkit.data.augment.batch_augment import vectorised
from toolkit.data.augment.fused_affine import augment_transform
from toolkit.data.io.decode import Encoded, ImageError, require_pictures
from toolkit.data.io.path_table import Locations
from toolkit.data.loading.bad_images import OnBadImage, Skipped, incomplete
from toolkit.data.loading.image_cache import Keep, Reader, identity
from toolkit.data.preprocess import Preprocess
from toolkit.data.sources.index import ImageArrays, ImageFiles
from toolkit.errors import ExitCode, VtkError
from toolkit.system.memory import require_room
from toolkit.system.opencv import cv2
from toolkit.system.progress import step
from toolkit.types.data import Batch, IndexBatch, SampleIndex

__all__ = ["ArrayDataset", "FileDataset", "Transform", "build_dataset"]

Pixels = npt.NDArray[np.uint8]

LOOKED_AT_EARLY = 10_000
"""Files of a split of which it is told before training, not when they are read, that they are no images."""

_AT_ONCE = 512
_LARGE_BATCH = 1e9

Targets = npt.NDArray[np.generic]


class Transform(Protocol):
    """From decoded pixels to the model's size: uint8 (h, w, c) in, uint8 (height, width, channels) out.

    One that says ``takes_encoded = True`` is given :class:`Encoded` files, and has no more decoded than it uses.
    """

    def __call__(self, image: Any, index: int, /) -> Pixels: ...


class FileDataset:
    """Pictures decoded as they are needed.

    ``dataset[i]`` is (uint8 pixels (h, w, c), target); a batch has inputs uint8 (n, h, w, c) and targets (n, ...), or
    None without labels.

    Args:
        paths: one file for each sample.
        targets: first axis the samples; or None.
        transform: brings every picture to one shape. Each split has its own: augmenting one cannot touch another.
        on_bad_image: a file that cannot be read is an :class:`ImageError`, or is left out of its batch, which is then
            an :class:`~toolkit.data.loading.bad_images.Incomplete`. None is an error too, where no recipe could say
            so. ``dataset[i]`` always raises.
        reader: gives what ``transform`` gets, by the sample's position; None reads the files as they are.
    """

    thread_safe = True
    in_memory = False

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        targets: Targets | None,
        transform: Transform,
        on_bad_image: OnBadImage | None = None,
        reader: Reader | None = None,
    ) -> None:
        self.paths = paths if isinstance(paths, Locations) else [os.fspath(path) for path in paths]
        self.targets = targets
        self.transform = transform
        self.on_bad_image = on_bad_image
        self.reader = reader

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Pixels, np.generic | None]:
        target = None if self.targets is None else self.targets[index]
        return self._picture(index), target

    def _picture(self, index: int) -> Pixels:
        if self.reader is not None:
            return self._transformed(self.reader(int(index)), index)
        image = Encoded.of_file(self.paths[index])
        return self._transformed(image if getattr(self.transform, "takes_encoded", False) else image.pixels(), index)

    def _transformed(self, image: Any, index: int) -> Pixels:
        try:
            return self.transform(image, index)
        except VtkError as error:
            if error.place is None and error.code == ExitCode.RECIPE:
                error.place = self.paths[int(index)]  # a step that cannot take this one picture
            raise

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        batch = IndexBatch.of(indices)
        images = np.empty((0, 1, 1, 3), np.uint8)
        places: list[int] = []
        skipped: list[Skipped] = []
        for place, index in enumerate(batch):
            try:
                image = self._picture(index)
            except ImageError as error:
                if self.on_bad_image != "skip":
                    raise self._told(error) from error.__cause__
                skipped.append(Skipped(error.path, error.reason))
                continue
            if not places:
                _require_room_for(len(batch), image)
                images = np.empty((len(batch), *image.shape), np.uint8)
            images[len(places)] = image
            places.append(place)
        if not skipped:
            return Batch(torch.from_numpy(images), _gathered(self.targets, batch))
        kept = IndexBatch(batch.indices[places])
        found = Batch(torch.from_numpy(images[: len(places)]), _gathered(self.targets, kept))
        return incomplete(found, places, skipped)

    def _told(self, error: ImageError) -> ImageError:
        """The error, with what a recipe may say of such files."""
        return error if self.on_bad_image is None else could_be_skipped(error)


class ArrayDataset:
    """Pictures in memory, all of one size.

    Args:
        images: uint8, shape (n, h, w) or (n, h, w, c).
        targets: first axis the samples; or None.
        preprocess: the model's shape; pictures of another size or other channels are converted once, here.
        augment: steps for training; none for evaluation.
    """

    thread_safe = True

    def __init__(
        self,
        images: Pixels,
        targets: Targets | None,
        preprocess: Preprocess,
        augment: Preset | Sequence[AugmentStep] = "none",
    ) -> None:
        self.images = _fitted(images, preprocess)
        self.targets = targets
        steps = steps_of(augment, preprocess.height, preprocess.width, small=True)
        self._whole = vectorised(steps, preprocess.height, preprocess.width) if steps else None
        self._single = AugmentPipeline(steps, preprocess) if steps and self._whole is None else None

    @property
    def in_memory(self) -> bool:
        """Whether fetching is so cheap that workers would only get in the way."""
        return self._single is None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Pixels, np.generic | None]:
        one = index if isinstance(index, SampleIndex) else SampleIndex(index)
        batch = IndexBatch(np.array([int(one)]), seed=one.seed, epoch=one.epoch)
        return self._pictures(batch)[0], None if self.targets is None else self.targets[int(one)]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        batch = IndexBatch.of(indices)
        return Batch(torch.from_numpy(self._pictures(batch)), _gathered(self.targets, batch))

    def _pictures(self, batch: IndexBatch) -> Pixels:
        images = self.images[batch.indices]
        if self._whole is not None:
            return self._whole(images, batch)
        if self._single is not None:
            for place, index in enumerate(batch):
                images[place] = self._single(images[place], index)
        return images


def build_dataset(
    index: ImageFiles | ImageArrays,
    preprocess: Preprocess,
    augment: Preset | Sequence[AugmentStep] = "none",
    on_bad_image: OnBadImage = "error",
    keep: Keep | None = None,
    split: str = "train",
) -> FileDataset | ArrayDataset:
    """The dataset of one split: augmented (training) or not (evaluation).

    Args:
        keep: where its pictures are kept once decoded; None keeps none.
        split: what ``keep`` calls it; only pictures of ``train`` are shrunk.

    Raises:
        ImageError: a file is no image at all, and such files are not to be left out. Of more than ``LOOKED_AT_EARLY``
            files only so many are looked at; the others are told when they are read.
    """
    if isinstance(index, ImageArrays):
        if keep is not None:
            keep.arrays(split)
        return ArrayDataset(index.images, index.targets, preprocess, augment)
    if on_bad_image == "error":
        try:
            _require_pictures(index.locations)
        except ImageError as error:
            raise could_be_skipped(error) from None
    steps = steps_of(augment, preprocess.height, preprocess.width, small=False)
    transform: Transform = augment_transform(steps, preprocess) if steps else preprocess
    if keep is None:
        return FileDataset(index.locations, index.targets, transform, on_bad_image)
    finished = not steps and (split != "train" or keep.shrink is None)
    reader = keep.reader(split, index.locations, preprocess if finished else None)
    if finished and reader is not None:
        transform = identity
    return FileDataset(index.locations, index.targets, transform, on_bad_image, reader)


def _require_pictures(paths: Locations) -> None:
    """Of very many files only some are looked at, spread evenly: on a slow disk each costs what reading it costs."""
    looked_at = np.linspace(0, len(paths) - 1, min(len(paths), LOOKED_AT_EARLY)).astype(np.int64)
    with step("looking whether files are images", len(looked_at)) as looking:
        for start in range(0, len(looked_at), _AT_ONCE):
            some = paths.take(looked_at[start : start + _AT_ONCE])
            require_pictures(some)
            looking.more(len(some))


def could_be_skipped(error: ImageError) -> ImageError:
    """The error, with the recipe's way out."""
    hint = "Mend, replace or remove it, or leave such files out with data.on_bad_image: skip."
    return ImageError(error.path, error.reason, code=error.code, hint=hint)


def _require_room_for(count: int, image: Pixels) -> None:
    """Refuse a batch of ``count`` such pictures that does not fit as bytes and once more in float32."""
    needed = 5.0 * count * image.nbytes
    if needed > _LARGE_BATCH:
        require_room(
            needed,
            f"a batch of {count:,} images of {image.shape[0]} x {image.shape[1]} pixels",
            "Take a smaller train.batch_size (or eval_batch_size), or a smaller data.image_size.",
        )


def _gathered(targets: Targets | None, batch: IndexBatch) -> torch.Tensor | None:
    return None if targets is None else torch.from_numpy(np.asarray(targets[batch.indices]))


def _fitted(images: Pixels, preprocess: Preprocess) -> Pixels:
    # CIFAR's files are channel by channel, and a transposed view stays one through every selection of samples.
    images = np.ascontiguousarray(images if images.ndim == 4 else images[..., None])
    as_they_are = preprocess.resize in (None, min(preprocess.height, preprocess.width))
    if as_they_are and images.shape[1:] == preprocess.shape:
        return images
    if as_they_are and images.shape[1:3] == (preprocess.height, preprocess.width):
        if preprocess.channels == 3:
            return np.repeat(images, 3, axis=3)
        return np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images])[..., None]
    shape = (len(images), *preprocess.shape)
    require_room(
        float(np.prod(shape, dtype=np.float64)),
        f"{shape[0]:,} images of {shape[1]} x {shape[2]} pixels, which lie in memory,",
        "Take a smaller data.image_size, or fewer images with data.limit.",
    )
    fitted = np.empty(shape, np.uint8)
    for place, image in enumerate(images):
        fitted[place] = preprocess(image)
    return fitted
