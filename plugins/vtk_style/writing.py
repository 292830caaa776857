"""From pixels to a PNG, JPEG or TIFF file that carries its colour profile and the recipe that made it."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageCms
from torch import Tensor

from toolkit import ExitCode, VtkError
from toolkit.recipe import save_options
from toolkit.system import write_atomic
from vtk_style.tiff import encode_tiff

Bits = Literal[8, 16]
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
_PNG_HEADER_END = 33
"""Bytes of PNG's signature and IHDR chunk."""

_BAND = 256
"""Rows that are turned into integers at a time."""

Array = npt.NDArray[Any]


def picture_format(path: Path, bits: Bits, keeps_alpha: bool = False) -> str:
    """``PNG``, ``JPEG`` or ``TIFF``, by the file name.

    Raises:
        VtkError: another suffix, or more than the format can hold (exit code 78).
    """
    name = FORMATS.get(path.suffix.lower())
    if name is None:
        raise VtkError(
            f"pictures cannot be written as {path.suffix or 'a file without a suffix'}",
            place=str(path),
            hint="Use .png, .jpg or .tif.",
            code=ExitCode.RECIPE,
        )
    if name == "JPEG" and (bits == 16 or keeps_alpha):
        what = "16 bits" if bits == 16 else "transparency"
        raise VtkError(
            f"JPEG files cannot hold {what}", place=str(path), hint="Use .png or .tif.", code=ExitCode.RECIPE
        )
    return name


def quantise(image: Tensor, bits: Bits = 8) -> Array:
    """(1, C, H, W) in [0, 1] to (H, W, C) integers: clamped, scaled and rounded to the nearest, a band at a time."""
    top, dtype = (255, np.uint8) if bits == 8 else (65535, np.uint16)
    _, channels, height, width = image.shape
    pixels = np.empty((height, width, channels), dtype)
    for start in range(0, height, _BAND):
        band = image[0, :, start : start + _BAND].detach().to("cpu", torch.float32, copy=True)
        band = band.clamp_(0, 1).mul_(top).round_()
        pixels[start : start + _BAND] = band.permute(1, 2, 0).numpy()
    return pixels


def write_picture(
    path: Path, image: Tensor, *, bits: Bits = 8, quality: int = 95, alpha: Tensor | None = None, recipe: str = ""
) -> None:
    """Write an image (1, 3, H, W) whole or not at all.

    Args:
        path: its suffix chooses the format.
        bits: of each channel; JPEG has 8.
        quality: of a JPEG, 1 … 100.
        alpha: transparency (H, W) in [0, 1], or None.
        recipe: the resolved recipe, as YAML, to carry along; empty for none.

    Raises:
        VtkError: the format cannot hold that, or the file cannot be written (73, 74).
    """
    name = picture_format(path, bits, alpha is not None)
    pixels = quantise(image, bits)
    if alpha is not None:
        pixels = np.concatenate([pixels, quantise(alpha[None, None].to(image.device), bits)], axis=2)
    try:
        options = save_options(name, recipe) if recipe else {}
    except ValueError as error:
        raise VtkError(str(error), place=str(path), hint="Use .png or .tif.", code=ExitCode.RECIPE) from error
    write_atomic(path, encode(pixels, name, quality, options))


def encode(pixels: Array, name: str, quality: int = 95, options: dict[str, Any] | None = None) -> bytes:
    """The content of a picture file; ``options`` are those of :func:`toolkit.recipe.save_options`."""
    options = dict(options or {})
    if name == "TIFF":
        return encode_tiff(pixels, profile=srgb_profile(), description=options.get("tiffinfo", {}).get(270, ""))
    if name == "PNG" and pixels.dtype == np.uint16:
        return _encode_deep_png(pixels, options)
    if name == "JPEG":
        options |= {"quality": quality, "subsampling": 0}
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, name, icc_profile=srgb_profile(), **options)
    return buffer.getvalue()


@cache
def srgb_profile() -> bytes:
    """An sRGB profile. Its date is fixed, so that equal pictures are equal files."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(profile)


def _encode_deep_png(pixels: Array, options: dict[str, Any]) -> bytes:
    """Sixteen bits a channel, which Pillow does not write; OpenCV does, but knows no profiles and no text."""
    import cv2

    order = [2, 1, 0, 3][: pixels.shape[2]]
    done, content = cv2.imencode(".png", np.ascontiguousarray(pixels[..., order]))
    if not done:
        raise VtkError("the picture cannot be encoded as a 16-bit PNG", code=ExitCode.IO)
    chunks = [_png_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile()))]
    if "pnginfo" in options:
        chunks += [_png_chunk(kind, data) for kind, data, *_ in options["pnginfo"].chunks]
    plain = content.tobytes()
    return plain[:_PNG_HEADER_END] + b"".join(chunks) + plain[_PNG_HEADER_END:]


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
