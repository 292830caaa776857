"""Pictures and masks from a folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from toolkit import ExitCode, VtkError

IGNORED = 255
_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}

Pixels = npt.NDArray[np.uint8]


def read_picture(path: Path) -> Pixels:
    """A file as RGB, uint8, (height, width, 3), turned as its EXIF says.

    Raises:
        VtkError: it is no picture.
    """
    try:
        with Image.open(path) as image:
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise VtkError(f"cannot be read as a picture: {error}", place=str(path)) from error


def read_mask(path: Path, classes: int) -> Pixels:
    """Class numbers, uint8, (height, width); those of a palette picture are its palette's places.

    Raises:
        VtkError: it is no mask, or a number has no class.
    """
    try:
        with Image.open(path) as image:
            mode, mask = image.mode, np.array(image)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise VtkError(f"cannot be read as a mask: {error}", place=str(path)) from error
    if mode not in ("L", "P", "1"):
        raise VtkError(
            f"a mask has one channel of 8 bits, and this has mode {mode}",
            place=str(path),
            hint="save class numbers as a greyscale or palette PNG",
        )
    mask = mask.astype(np.uint8)
    wrong = np.setdiff1d(mask, [*range(classes), IGNORED])
    if len(wrong):
        raise VtkError(
            f"the mask holds {', '.join(map(str, wrong[:4]))}, and there are {classes} classes, 0 to {classes - 1}",
            place=str(path),
            hint=f"name every class under data.source.classes; {IGNORED} leaves pixels out",
        )
    return mask


class MaskedFolder:
    """Some of a folder's pictures, read when they are asked for, at one size."""

    def __init__(self, pairs: list[tuple[Path, Path]], size: int, classes: int) -> None:
        self.pairs, self.size, self.classes = pairs, size, classes

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Pixels, Pixels]:
        """The picture, (size, size, 3), and its mask, (size, size); both uint8."""
        picture, mask = self.pairs[index]
        image, labels = read_picture(picture), read_mask(mask, self.classes)
        if image.shape[:2] != labels.shape:
            sizes = " and ".join(f"{shape[1]}×{shape[0]}" for shape in (labels.shape, image.shape))
            raise VtkError(f"mask and picture differ in size: {sizes}", place=str(mask))
        return resized(image, self.size), cv2.resize(labels, (self.size,) * 2, interpolation=cv2.INTER_NEAREST_EXACT)


def resized(image: Pixels, size: int) -> Pixels:
    """The whole picture at ``size`` × ``size``."""
    shrinks = max(image.shape[:2]) > size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def find_pairs(root: str) -> list[tuple[Path, Path]]:
    """Every picture under ``root/images`` with its mask, in the order of their names.

    Raises:
        VtkError: there are none, or one has no mask.
    """
    images, masks = Path(root).expanduser() / "images", Path(root).expanduser() / "masks"
    for folder in (images, masks):
        if not folder.is_dir():
            raise VtkError("no such folder", place=str(folder), code=ExitCode.NO_INPUT)
    pictures = sorted(p for p in images.rglob("*") if p.suffix.lower() in _PICTURES and not p.name.startswith("."))
    if not pictures:
        raise VtkError("there is no picture in this folder", place=str(images), code=ExitCode.NO_INPUT)
    pairs = [(p, (masks / p.relative_to(images)).with_suffix(".png")) for p in pictures]
    lost = [picture for picture, mask in pairs if not mask.is_file()]
    if lost:
        more = f", and {len(lost) - 1} more pictures have none" if len(lost) > 1 else ""
        raise VtkError(f"there is no mask for {lost[0].name}{more}", place=str(masks), code=ExitCode.NO_INPUT)
    return pairs


def held_out(pairs: list[tuple[Path, Path]], val: float, test: float, seed: int) -> list[list[tuple[Path, Path]]]:
    """Training, validation and test pairs; the same for the same names, shares and seed."""
    order = np.random.default_rng(seed).permutation(len(pairs)).tolist()
    vals, tests = round(val * len(pairs)), round(test * len(pairs))
    cuts = sorted(order[vals + tests :]), sorted(order[:vals]), sorted(order[vals : vals + tests])
    return [[pairs[i] for i in cut] for cut in cuts]
