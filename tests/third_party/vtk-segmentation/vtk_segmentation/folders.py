"""Pictures and masks from a folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from toolkit import ExitCode, VtkError, find_images, read_image, read_mask

IGNORED = 255

Pixels = npt.NDArray[np.uint8]


def labels_of(path: Path, classes: int, upright: bool) -> Pixels:
    """Class numbers, uint8, (height, width).

    Raises:
        VtkError: it is no mask, or a number has no class.
    """
    mask = read_mask(path, upright=upright)
    wrong = np.setdiff1d(mask, [*range(classes), IGNORED])
    if len(wrong):
        raise VtkError(
            f"the mask holds {', '.join(map(str, wrong[:4]))}, and there are {classes} classes, 0 to {classes - 1}",
            place=str(path),
            hint=f"name every class under data.source.classes; {IGNORED} leaves pixels out",
        )
    return mask.astype(np.uint8)


class MaskedFolder:
    """Some of a folder's pictures, read when they are asked for, at one size."""

    def __init__(self, pairs: list[tuple[Path, Path]], size: int, classes: int, upright: bool) -> None:
        self.pairs, self.size, self.classes, self.upright = pairs, size, classes, upright

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Pixels, Pixels]:
        """The picture, (size, size, 3), and its mask, (size, size); both uint8."""
        picture, mask = self.pairs[index]
        image, labels = read_image(picture, upright=self.upright), labels_of(mask, self.classes, self.upright)
        if image.shape[:2] != labels.shape:
            sizes = " and ".join(f"{shape[1]}×{shape[0]}" for shape in (labels.shape, image.shape))
            lies = "was drawn" if self.upright and image.shape[1::-1] == labels.shape else None
            hint = f"if the mask {lies} on the picture as it is stored, set data.source.upright to false"
            raise VtkError(f"mask and picture differ in size: {sizes}", place=str(mask), hint=hint if lies else None)
        return resized(image, self.size), cv2.resize(labels, (self.size,) * 2, interpolation=cv2.INTER_NEAREST_EXACT)


def resized(image: Pixels, size: int) -> Pixels:
    """The whole picture at ``size`` × ``size``; Pillow averages along each side that shrinks."""
    return np.array(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def find_pairs(root: str) -> list[tuple[Path, Path]]:
    """Every picture under ``root/images`` with its mask, in the order of their names.

    Raises:
        VtkError: there are none, or one has no mask.
    """
    images, masks = Path(root).expanduser() / "images", Path(root).expanduser() / "masks"
    pairs = [(p, (masks / p.relative_to(images)).with_suffix(".png")) for p in find_images(images)]
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
