"""From a picture file to pixels that are upright, in sRGB and as deep as the file, with its transparency kept apart.

The toolkit's own decoder gives training what it needs, 8-bit RGB on white; a picture to be painted keeps more.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageCms, UnidentifiedImageError
from torch import Tensor

from toolkit import ExitCode, VtkError
from vtk_style.pyramid import resized

MAX_PIXELS = 150_000_000
"""Larger pictures are refused before they are decoded."""

SAMPLES = "sklearn:"
"""Prefix of the photographs that scikit-learn carries, e.g. ``sklearn:china.jpg``."""

_ORIENTATION, _BITS = 0x0112, 258
_SRGB_NAMES = ("sRGB",)
_MISSING = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError)

Array = npt.NDArray[Any]


@dataclass
class Picture:
    """A decoded picture.

    Args:
        name: the file, as the user knows it.
        pixels: (H, W, 3), uint8 or uint16, sRGB, transparent parts laid on the background colour.
        alpha: (H, W) of the same type, or None for an opaque picture.
        notes: what was done to it that the user should know.
    """

    name: str
    pixels: Array
    alpha: Array | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def tensor(self) -> Tensor:
        """(1, 3, H, W), float32 in [0, 1]."""
        return as_float(self.pixels).permute(2, 0, 1).unsqueeze(0).contiguous()

    def resized(self, size: tuple[int, int]) -> Tensor:
        """:meth:`tensor` at another (height, width), one channel at a time, so that no float copy is as large."""
        planes = [resized(as_float(self.pixels[..., c])[None, None], size) for c in range(3)]
        return torch.cat(planes, dim=1)


def as_float(values: Array) -> Tensor:
    """Integer pixels as float32 in [0, 1], same shape."""
    return torch.from_numpy(values.astype(np.float32)) / float(np.iinfo(values.dtype).max)


def locate(source: str) -> Path:
    """The file that a recipe's ``content`` or ``style`` means.

    Raises:
        VtkError: ``sklearn:`` names a photograph that scikit-learn does not carry (exit code 66).
    """
    if not source.startswith(SAMPLES):
        return Path(source)
    # Found without importing scikit-learn, which takes longer than decoding the photograph.
    package = find_spec("sklearn")
    folder = Path(package.origin).parent if package is not None and package.origin else Path()
    path = folder / "datasets" / "images" / source.removeprefix(SAMPLES)
    if not path.is_file():
        raise VtkError(
            "scikit-learn carries no such photograph",
            place=source,
            hint="It has sklearn:china.jpg and sklearn:flower.jpg.",
            code=ExitCode.NO_INPUT,
        )
    return path


def read_picture(
    source: str, background: Sequence[float] = (1.0, 1.0, 1.0), *, missing: str = "Check the path."
) -> Picture:
    """Decode a picture file; ``missing`` is the hint where it is not there.

    EXIF orientation is applied; embedded profiles are converted to sRGB; 16-bit PNG and TIFF stay 16-bit; grey, palette
    and CMYK become RGB; the first frame of an animation counts.

    Raises:
        VtkError: missing (66), unreadable, damaged or too large (65).
    """
    try:
        data = locate(source).read_bytes()
    except _MISSING as error:  # what else the disk answers, the core tells
        raise VtkError(
            f"the picture cannot be read: {error.strerror}",
            place=source,
            hint=missing,
            code=ExitCode.NO_INPUT,
        ) from error
    try:
        return _decode(data, source, background)
    except VtkError:
        raise
    except Exception as error:
        # Pillow answers a damaged file with whatever exception its parser ran into, SyntaxError included.
        raise VtkError(
            f"the picture cannot be decoded: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            place=source,
            hint=_CONVERT,
        ) from error


def read_mask(source: str, size: tuple[int, int]) -> Tensor:
    """A mask: the brightness of a picture, (H, W) in [0, 1]; white is 1.

    Raises:
        VtkError: it cannot be read, or is not ``size`` = (height, width).
    """
    picture = read_picture(source, background=(0.0, 0.0, 0.0))
    if picture.size != size:
        raise VtkError(
            f"the mask is {_size(picture.size)}, its picture is {_size(size)}",
            place=source,
            hint="A mask must have its picture's width and height in pixels; export it again at that size.",
        )
    return as_float(picture.pixels).mean(2)


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}×{size[0]} pixels"


def _decode(data: bytes, name: str, background: Sequence[float]) -> Picture:
    with warnings.catch_warnings():
        # Our own limit speaks first; Pillow's warns about what is allowed here.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image: Image.Image = Image.open(io.BytesIO(data))
        except Image.DecompressionBombError as error:
            raise VtkError(
                f"there are more pixels than the {_MOST} that are read", place=name, hint=_SMALLER
            ) from error
        except UnidentifiedImageError as error:
            raise VtkError("this is no picture, or of an unknown format", place=name, hint=_CONVERT) from error
    with image:
        _check_size(image.size, name)
        profile = image.info.get("icc_profile")
        orientation = int(image.getexif().get(_ORIENTATION, 1))
        if _is_deep(image, data):
            rgba = _decode_deep(image, data)
        else:
            is_tiff = image.format == "TIFF"
            image.load()
            rgba = _rgba(image)
            # Pillow turns TIFF pages itself while it loads them; CMYK is converted by its profile, not before it.
            orientation = 1 if is_tiff else orientation
        notes: list[str] = []
        rgba = _to_srgb(image, rgba, profile, notes, name)
    return _finished(name, _upright(rgba, orientation), background, notes)


_SMALLER = "Make the picture smaller first."
_CONVERT = "Open it in an image editor and save it again, as PNG, JPEG or TIFF."
_MOST = f"{MAX_PIXELS / 1e6:,.0f} million"


def _check_size(size: tuple[int, int], name: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise VtkError(
            f"{size[0]}×{size[1]} pixels are {size[0] * size[1] / 1e6:,.0f} million; at most {_MOST} are read",
            place=name,
            hint=_SMALLER,
        )


def _is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether the file has 16 bits a channel."""
    if image.format == "PNG":
        return data[24] == 16
    if image.format == "TIFF":
        bits = image.tag_v2.get(_BITS, ())  # type: ignore[attr-defined]
        return bool(bits) and set(bits if isinstance(bits, tuple) else (bits,)) == {16}
    return False


def _decode_deep(image: Image.Image, data: bytes) -> Array:
    """(H, W, 3 or 4), uint16. Pillow would throw half the bits of a colour picture away."""
    if image.mode.startswith("I"):
        image.load()
        return np.repeat(np.asarray(image).astype(np.uint16)[..., None], 3, axis=2)
    import cv2

    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise ValueError("its data are damaged")
    if found.ndim == 2:
        return np.repeat(found[..., None], 3, axis=2)
    order = [2, 1, 0, 3][: found.shape[2]]
    return np.ascontiguousarray(found[..., order])


def _rgba(image: Image.Image) -> Array:
    """(H, W, 3 or 4), uint8."""
    if image.mode.startswith("I") or image.mode == "F":
        raise ValueError(f"pixels of mode {image.mode} have no fixed white")
    if image.has_transparency_data:
        return np.array(image.convert("RGBA"))
    return np.array(image.convert("RGB"))


def _to_srgb(image: Image.Image, rgba: Array, profile: bytes | None, notes: list[str], name: str) -> Array:
    """Colours by the embedded profile; sRGB where there is none."""
    if not profile:
        return rgba
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        title = ImageCms.getProfileDescription(source).strip()
        if any(known in title for known in _SRGB_NAMES):
            return rgba
        space = source.profile.xcolor_space.strip()
        if space not in ("RGB", "GRAY", "CMYK"):
            raise ImageCms.PyCMSError(f"a profile for {space}")
        base = image if space == "CMYK" and image.mode == "CMYK" else None
        converted = _convert(base, rgba, source, space)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise VtkError(
            f"its colour profile cannot be used: {error}",
            place=name,
            hint="Convert the picture to sRGB in an image editor, or strip the profile.",
        ) from error
    deep = ", computed in 8 bits" if rgba.dtype == np.uint16 else ""
    notes.append(f"colours converted from {title or 'the embedded profile'} to sRGB{deep}")
    if rgba.dtype == np.uint16:
        converted = converted.astype(np.uint16) * 257
    return np.concatenate([converted, rgba[..., 3:]], axis=2)


def _convert(base: Image.Image | None, rgba: Array, source: Any, space: str) -> Array:
    eight = rgba if rgba.dtype == np.uint8 else ((rgba.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if base is None:
        base = Image.fromarray(np.ascontiguousarray(eight[..., :3]))
        if space == "GRAY":
            base = base.convert("L")
    result = ImageCms.profileToProfile(base, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert result is not None
    return np.array(result)


def _upright(pixels: Array, orientation: int) -> Array:
    """Undo the EXIF orientation 1 … 8 of an array (H, W, C)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _finished(name: str, rgba: Array, background: Sequence[float], notes: list[str]) -> Picture:
    """Split off the transparency; lay transparent parts on the background."""
    if rgba.shape[2] == 3:
        return Picture(name, rgba, None, notes)
    top = np.iinfo(rgba.dtype).max
    alpha = rgba[..., 3]
    if (alpha == top).all():
        return Picture(name, np.ascontiguousarray(rgba[..., :3]), None, notes)
    share = alpha[..., None].astype(np.float64) / top
    mixed = rgba[..., :3] * share + np.array(background) * top * (1 - share)
    return Picture(name, np.rint(mixed).astype(rgba.dtype), np.ascontiguousarray(alpha), notes)
