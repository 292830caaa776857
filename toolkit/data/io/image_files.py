"""Files for plugin authors: find pictures, read them as the built-in tasks do, read masks as the numbers they hold."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.data.io.decode import (
    MAX_PIXELS,
    OPENERS,
    Encoded,
    ImageError,
    check_size,
    reraise_as_image_error,
    tiff_orientation,
    turned,
    turned_back,
)
from toolkit.data.io.scan import scan
from toolkit.errors import ExitCode, VtkError
from toolkit.system.home import expanded

__all__ = ["find_images", "read_image", "read_mask"]

Numbers = npt.NDArray[np.unsignedinteger[Any]]

_MASK_FORMATS = ("png", "gif", "tiff")
_MASK_MODES = ("1", "L", "P", "I;16", "I;16B")
_PNG_DEPTH_AT = 24
_TIFF_DEPTH, _TIFF_PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
# Pillow spreads greys of few bits over 0 to 255.
_SPREAD = {2: 85, 4: 17}
_SAVE_AS = "Save class numbers as a PNG of one channel or with a palette."


def find_images(folder: str | os.PathLike[str], *, nested: bool = True) -> list[Path]:
    """Every file in a folder whose name ends like a picture's, sorted by its path in the folder.

    Hidden files and folders and what archivers leave behind are passed over; links are followed. Nothing is opened.

    Args:
        folder: where to look; a ``~`` stands for the home folder.
        nested: look into folders within, too.

    Raises:
        VtkError: there is no such folder, or no picture in it.
    """
    root = expanded(folder)
    if not root.is_dir():
        raise VtkError("no such folder", place=str(root), code=ExitCode.NO_INPUT)
    pictures, _ = scan(root, nested=nested)
    if not pictures:
        raise VtkError("there is no picture in this folder", place=str(root), code=ExitCode.NO_INPUT)
    return [root / name for name in pictures]


def read_image(path: str | os.PathLike[str], *, upright: bool = True) -> npt.NDArray[np.uint8]:
    """A picture file as RGB pixels, exactly as the built-in tasks read it.

    JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, AVIF and JPEG 2000; the content decides, not the name. Grey, palette and CMYK
    become RGB, 16-bit channels are scaled to 8, transparent pixels are laid on white, an animation gives its first
    frame. Colour profiles are not applied.

    Args:
        path: the file.
        upright: turn the picture as its EXIF orientation says. Without it rows and columns are those that the file
            stores: for labels that a tool which does not know EXIF has drawn.

    Returns:
        uint8 of shape (height, width, 3), 0 to 255, C-contiguous, writeable.

    Raises:
        ImageError: the file is missing (``NO_INPUT``), or it is no picture, cut short, damaged or larger than 179
            million pixels (``DATA``). It names the file.
    """
    return Encoded.of_file(path).pixels(upright=upright)


def read_mask(path: str | os.PathLike[str], *, upright: bool = True) -> Numbers:
    """A file of labels as the numbers that it holds, one for each pixel: nothing scaled, mixed or laid on white.

    PNG, GIF or TIFF of one channel, of 1 to 16 bits. Of a palette picture these are the places in the palette, whatever
    their colours, transparent ones included.

    Args:
        path: the file.
        upright: as for :func:`read_image`; for a picture and its mask take the same.

    Returns:
        Of shape (height, width), C-contiguous, writeable: uint8, or uint16 for files of 16 bits.

    Raises:
        ImageError: as for :func:`read_image`, and for what cannot hold labels: colours, an alpha channel, a compression
            that changes numbers (JPEG, WebP, …), more than 16 bits.
    """
    encoded = Encoded.of_file(path)
    kind = encoded.container.format
    if kind not in _MASK_FORMATS:
        raise _no_mask(path, f"a mask is a PNG, GIF or TIFF, and this is {kind.upper()}")
    with reraise_as_image_error(path), OPENERS[kind](io.BytesIO(encoded.data)) as image:
        check_size(image.size, MAX_PIXELS)
        fault, depth = _fault(image), _depth(image, encoded.data)
        orientation = tiff_orientation(image) if kind == "tiff" else encoded.container.orientation or 1
        if fault is None:
            image.load()
            numbers = _numbers(np.array(image), image.mode, depth)
    if fault is not None:
        raise _no_mask(path, fault)
    if kind == "tiff":  # Pillow has turned it
        return numbers if upright else turned_back(numbers, orientation)
    return turned(numbers, orientation) if upright else numbers


def _numbers(values: npt.NDArray[Any], mode: str, depth: int) -> Numbers:
    if mode.startswith("I;16"):
        return values.astype(np.uint16)
    return values.astype(np.uint8) // _SPREAD.get(depth, 1) if mode == "L" else values.astype(np.uint8)


def _depth(image: Any, data: bytes) -> int:
    """Bits of a pixel."""
    if image.format == "PNG":
        return data[_PNG_DEPTH_AT]
    return int(image.tag_v2.get(_TIFF_DEPTH, (1,))[0]) if image.format == "TIFF" else 8


def _fault(image: Any) -> str | None:
    """Why an opened picture cannot hold labels."""
    if image.mode not in _MASK_MODES:
        return f"a mask has one channel of at most 16 bits, and this has {image.mode}"
    if image.format == "TIFF":
        if any(lossy in str(image.info.get("compression")) for lossy in ("jpeg", "webp")):
            return "its compression changes numbers"
        if image.tag_v2.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO:
            return "its numbers count down from white, so which label they mean is not certain"
    return None


def _no_mask(path: str | os.PathLike[str], reason: str) -> ImageError:
    return ImageError(path, f"is no mask: {reason}", hint=_SAVE_AS)
