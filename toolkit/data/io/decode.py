"""The one decoder: from a file to RGB pixels, the same for training, evaluation, prediction and serving.

What it stands for:

- EXIF orientation is applied; embedded colour profiles and gamma are not.
- 16-bit channels are scaled to 8 with rounding; floats must lie in [0, 1]; 32-bit whole numbers are refused.
- Transparent pixels are laid on white.
- Grey, palette, bilevel, CMYK and YCbCr become RGB. An animation gives its first frame, a TIFF its first
  page.
- A file that is cut short, damaged or larger than ``max_pixels`` is refused, before pixels are decoded where
  the container tells. A JPEG carries no checksum: bytes changed inside its compressed data still make a
  picture, and no decoder can know.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from toolkit.data.io.image_headers import Container, MalformedError, inspect, sniff
from toolkit.errors import ExitCode, VtkError
from toolkit.system.disk_errors import input_error
from toolkit.system.memory import out_of_memory
from toolkit.system.opencv import cv2

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "Encoded",
    "ImageError",
    "check_size",
    "decode",
    "decode_bytes",
    "pixels_of",
    "read_bytes",
    "reduction",
    "require_pictures",
    "reraise_as_image_error",
    "tiff_orientation",
    "turned",
    "turned_back",
]

Pixels = npt.NDArray[np.uint8]
Number = TypeVar("Number", bound=np.generic)

MAX_PIXELS = 178_956_970
"""Half a GiB of RGB; the size at which Pillow, too, refuses to go on."""

_NAMES = "jpg jpeg jpe jfif png webp gif bmp dib tif tiff ppm pgm pbm pnm avif jp2 j2k"
IMAGE_SUFFIXES = frozenset(f".{name}" for name in _NAMES.split())
"""What a picture's file name may end in, lower case; used to find pictures, never to decode them."""

OPENERS: dict[str, type[ImageFile.ImageFile]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,
    "png": PngImagePlugin.PngImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
    "ppm": PpmImagePlugin.PpmImageFile,
    "avif": AvifImagePlugin.AvifImageFile,
    "jpeg2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
}
# EXIF orientations that turn the order of the upright picture's rows, and of its columns.
_UPSIDE_DOWN, _MIRRORED = (3, 4, 7, 8), (2, 3, 6, 7)
_BITS_PER_SAMPLE, _PHOTOMETRIC, _PHOTOMETRIC_RGB = 258, 262, 2
_READ_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
# The flags named for grey: those named for colour would ask for BGR besides.
_REDUCED = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


# cv::Error::StsNoMem
_CV2_NO_MEMORY = -4
_REMEDY = "Mend, replace or remove it, then start again."


class ImageError(VtkError):
    """A file that cannot be used as a picture.

    Args:
        path: the file, as the user knows it.
        reason: continues the sentence "the file …", e.g. ``is empty``.
    """

    def __init__(
        self, path: str | os.PathLike[str], reason: str, *, code: ExitCode = ExitCode.DATA, hint: str = _REMEDY
    ) -> None:
        super().__init__(f"the file {reason}", place=os.fspath(path), hint=hint, code=code)
        self.path = os.fspath(path)
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return _image_error, (self.path, self.reason, self.code, self.hint)


def _image_error(path: str, reason: str, code: ExitCode, hint: str) -> ImageError:
    return ImageError(path, reason, code=code, hint=hint)


def require_pictures(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Looks at the first bytes of each file, so that a text file named .jpg is told before training, not in it.

    Raises:
        ImageError: a file that is missing, empty or no image; the first of them.
    """
    for path in paths:
        try:
            with open(path, "rb", buffering=0) as file:
                head = file.read(32)
        except (OSError, ValueError):
            head = b""
        if sniff(head) is None:
            decode(path)


def decode(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Reads an image file.

    Args:
        path: any format of ``IMAGE_SUFFIXES``; the content decides, not the name.
        max_pixels: larger pictures are refused, where the format allows before decoding.

    Returns:
        RGB pixels, uint8, shape (height, width, 3), C-contiguous.

    Raises:
        ImageError: for whatever is wrong with the file.
    """
    return decode_bytes(read_bytes(path), path, max_pixels=max_pixels)


def decode_bytes(
    data: bytes, name: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS, at_least: int | None = None
) -> Pixels:
    """:func:`decode` for a file's content; ``name`` is what errors call it.

    With ``at_least`` a JPEG comes at half, a quarter or an eighth of its size, the smallest whose sides are both that
    long: the decoder then skips the finer frequencies, and much of the work. Other formats come as they are.
    """
    encoded = Encoded(data, name, max_pixels=max_pixels)
    size = encoded.reducible if at_least is not None else None
    return encoded.pixels(1 if size is None else reduction(min(size), at_least or 1))


class Encoded:
    """A picture file's content, looked at but not yet decoded, so that no more is decoded than is needed.

    Args:
        data: the file's content.
        name: what errors call it.
        max_pixels: as for :func:`decode`.

    Raises:
        ImageError: as :func:`decode` does; what only decoding can find is raised by :meth:`pixels`.
    """

    def __init__(self, data: bytes, name: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> None:
        if not data:
            raise ImageError(name, "is empty")
        self.data, self.name, self.max_pixels = data, name, max_pixels
        with reraise_as_image_error(name):
            self.container = inspect(data)
            check_size(self.container.size, max_pixels)

    @classmethod
    def of_file(cls, path: str | os.PathLike[str]) -> Encoded:
        """The content of a file."""
        return cls(read_bytes(path), path)

    @property
    def reducible(self) -> tuple[int, int] | None:
        """(height, width) of the upright picture if it can be decoded smaller, else None."""
        size = self.container.size
        if self.container.format != "jpeg" or not self.container.plain or size is None:
            return None
        return size if self._orientation >= 5 else size[::-1]

    @property
    def _orientation(self) -> int:
        return self.container.orientation or 1

    def lead(self, reduction: int) -> tuple[int, int]:
        """How many rows and columns the first of the reduced ones stand for beyond the picture's own.

        Sides that are no whole number of blocks are filled up at their end, which is the beginning once turned.
        """
        height, width = self.reducible or (0, 0)
        down = -height % reduction if self._orientation in _UPSIDE_DOWN else 0
        return down, -width % reduction if self._orientation in _MIRRORED else 0

    def pixels(self, reduction: int = 1, *, upright: bool = True) -> Pixels:
        """RGB pixels, uint8, shape (height, width, 3), C-contiguous.

        Args:
            reduction: 2, 4 or 8 make each pixel stand for so many by so many, for a picture that is ``reducible``;
                sides are rounded up. The decoder then skips the finer frequencies, and much of the work.
            upright: turned as EXIF says; without it, rows and columns are those of the file.
        """
        container = self.container
        with reraise_as_image_error(self.name):
            if container.plain:
                pixels = _cv2_decode(self.data, _READ_RGB | _REDUCED[reduction])
            elif container.deep:
                pixels = _decode_deep(self.data, container.see_through)
            else:
                pixels, container = _decode_other(self.data, container, self.max_pixels)
        return turned(pixels, container.orientation or 1) if upright else pixels


def pixels_of(image: Pixels | Encoded) -> Pixels:
    """The picture's pixels, decoded where they are not yet."""
    return image.pixels() if isinstance(image, Encoded) else image


def reduction(length: float, at_least: float) -> int:
    """The largest factor for :meth:`Encoded.pixels` that leaves ``at_least`` of so many pixels."""
    return next((factor for factor in (8, 4, 2) if length >= factor * at_least), 1)


@contextmanager
def reraise_as_image_error(name: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever is wrong with a file, as an ImageError."""
    try:
        yield
    except MalformedError as error:
        raise ImageError(name, str(error)) from None
    except MemoryError as error:
        raise _out_of_memory(name) from error
    except Exception as error:
        if getattr(error, "code", None) == _CV2_NO_MEMORY and isinstance(error, cv2.error):
            raise _out_of_memory(name) from error
        # Pillow answers damage with whatever its parser ran into, SyntaxError included.
        raise ImageError(name, f"cannot be decoded: {_first_line(error)}") from error


def _out_of_memory(name: str | os.PathLike[str]) -> VtkError:
    """No fault of the file, so it is never left out for it."""
    advice = "set loader.workers to fewer, data.cache to off, or make the picture smaller"
    return out_of_memory("out of memory while the picture was decoded", advice, place=os.fspath(name))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a picture file, empty where the file is.

    Raises:
        ImageError: it is missing, no regular file, or begins like no picture.
        VtkError: too many files are open (71).
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            kind = "a directory" if Path(path).is_dir() else "a device or pipe"
            raise ImageError(path, f"is {kind}, not a picture")
        with open(path, "rb") as file:
            head = file.read(32)
            if head and sniff(head) is None:
                raise ImageError(path, "is not an image in a format that is read here")
            return head + file.read()
    except FileNotFoundError:
        raise ImageError(path, "does not exist", code=ExitCode.NO_INPUT) from None
    except OSError as error:
        problem = input_error(path, error)
        if problem.code == ExitCode.OUT_OF_MEMORY:  # no fault of the file, so it is never left out for it
            raise problem from error
        raise ImageError(path, f"cannot be read: {_first_line(error)}", code=problem.code) from error
    except ValueError as error:
        raise ImageError(path, f"cannot be read: {_first_line(error)}", code=ExitCode.NO_INPUT) from error


def check_size(size: tuple[int, int] | None, max_pixels: int) -> None:
    if size is not None and size[0] * size[1] > max_pixels:
        megapixels = size[0] * size[1] / 1e6
        raise MalformedError(
            f"holds {size[0]} x {size[1]} pixels ({megapixels:,.0f} million), "
            f"more than the {max_pixels / 1e6:,.0f} million allowed"
        )


def _decode_deep(data: bytes, see_through: tuple[int, ...] | None = None) -> Pixels:
    channels = _cv2_decode(data, cv2.IMREAD_UNCHANGED)
    scaled = _to_8_bits(channels)
    if scaled.ndim == 3 and scaled.shape[2] == 4:
        return _on_white(cv2.cvtColor(scaled, cv2.COLOR_BGRA2RGBA))
    rgb: Pixels = cv2.cvtColor(scaled, cv2.COLOR_GRAY2RGB if scaled.ndim == 2 else cv2.COLOR_BGR2RGB)
    if see_through is not None:
        rgb[(np.atleast_3d(channels) == see_through[::-1]).all(axis=2)] = 255
    return rgb


def _to_8_bits(values: npt.NDArray[Any]) -> Pixels:
    """From 0..65535 to 0..255, rounded: 65535 / 255 is 257."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _cv2_decode(data: bytes, flags: int) -> Pixels:
    pixels: Pixels | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise MalformedError("cannot be decoded: its data are damaged")
    return pixels


def _decode_other(data: bytes, container: Container, max_pixels: int) -> tuple[Pixels, Container]:
    """Decodes with Pillow; returns the container completed by what only Pillow knows."""
    # Some libraries switch Pillow's strictness off for the whole process; half a picture must never pass.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    # The format's own class instead of Image.open, whose bomb check is a process-wide setting and warns.
    with OPENERS[container.format](io.BytesIO(data)) as image:
        check_size(image.size, max_pixels)
        if container.format == "tiff":
            return _decode_tiff(data, image)
        image.load()
        orientation = container.orientation
        if orientation is None:
            orientation = valid_orientation(image.getexif().get(0x0112, 1))
        return _rgb(image), Container(container.format, image.size, orientation)


def _decode_tiff(data: bytes, image: Any) -> tuple[Pixels, Container]:
    container = Container("tiff", image.size, tiff_orientation(image))
    if _is_deep_rgb(image):
        return _decode_deep(data), container
    image.load()
    return turned_back(_rgb(image), container.orientation or 1), container


def _is_deep_rgb(image: Any) -> bool:
    bits = image.tag_v2.get(_BITS_PER_SAMPLE, ())
    return len(bits) >= 3 and set(bits) == {16} and _tag(image, _PHOTOMETRIC) == _PHOTOMETRIC_RGB


def _tag(image: Any, number: int) -> int:
    return int(image.tag_v2.get(number, 1))


def tiff_orientation(image: Any) -> int:
    """How the page of an opened TIFF lies, 1 to 8; known before Pillow loads it, and turns it while loading."""
    return valid_orientation(_tag(image, 0x0112))


def valid_orientation(value: int) -> int:
    """An EXIF orientation, 1 where the value means none."""
    return int(value) if 1 <= value <= 8 else 1


def _rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return _grey(_to_8_bits(np.asarray(image)))
    if image.mode == "I":
        raise MalformedError("holds 32-bit whole numbers, which have no defined white; convert it to 8 or 16 bits")
    if image.mode == "F":
        return _grey(_scaled_float(np.asarray(image)))
    if image.has_transparency_data:
        return _on_white(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def _scaled_float(values: npt.NDArray[Any]) -> Pixels:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0.0 and high <= 1.0):
        raise MalformedError(f"holds numbers from {low:g} to {high:g}; only 0 to 1 have a meaning as brightness")
    return np.rint(values.astype(np.float64) * 255).astype(np.uint8)


def _grey(values: Pixels) -> Pixels:
    return np.repeat(values[..., None], 3, axis=2)


def _on_white(rgba: Pixels) -> Pixels:
    """Lays straight-alpha RGBA on white: round(a c + (1 - a) 255) with a in [0, 1]."""
    alpha = rgba[..., 3:].astype(np.uint32)
    mixed = rgba[..., :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def turned(pixels: npt.NDArray[Number], orientation: int) -> npt.NDArray[Number]:
    """Undoes the EXIF orientation (1 to 8): which view of the stored rows and columns is upright."""
    if orientation == 1:
        return pixels
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in _UPSIDE_DOWN:
        pixels = pixels[::-1]
    if orientation in _MIRRORED:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def turned_back(pixels: npt.NDArray[Number], orientation: int) -> npt.NDArray[Number]:
    """The stored rows and columns of an upright picture: :func:`turned` the other way round."""
    return turned(pixels, {6: 8, 8: 6}.get(orientation, orientation))


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
