"""Image files from the outside: which format, which size, whether all of it is there, how it was held.

Decoders are lenient where a data set must not be: a JPEG that ends early comes back half grey without a
word. So the container is walked to its end before any pixel is decoded.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

__all__ = ["Container", "MalformedError", "inspect", "sniff"]

TRUNCATED = "ends before its picture does (truncated)"

_JPEG_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ORIENTATION_TAG = 0x0112

_SIGNATURES: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("jpeg", re.compile(rb"\xff\xd8\xff")),
    ("png", re.compile(re.escape(_PNG_SIGNATURE))),
    ("webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("gif", re.compile(rb"GIF8[79]a")),
    ("bmp", re.compile(rb"BM.{4}\x00\x00\x00\x00", re.DOTALL)),
    ("tiff", re.compile(rb"II\*\x00|MM\x00\*|II\+\x00|MM\x00\+")),
    ("ppm", re.compile(rb"P[1-6]\s")),
    ("avif", re.compile(rb"....ftypavi[fs]", re.DOTALL)),
    ("jpeg2000", re.compile(rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51")),
)


class MalformedError(ValueError):
    """The file's structure is broken; the text says how."""


@dataclass(frozen=True)
class Container:
    """What the outside of an image file tells.

    Args:
        format: lower-case name, e.g. ``jpeg``.
        size: (width, height) in pixels as stored, or None where only the decoder knows.
        orientation: the EXIF value 1 to 8, or None where only the decoder knows.
        plain: 8 bits, grey or RGB, opaque; OpenCV and Pillow then agree on its meaning.
        deep: 16 bits a channel, read by OpenCV, because Pillow drops the lower eight.
        see_through: the one colour that a deep PNG declares transparent, as its 16-bit channels.
    """

    format: str
    size: tuple[int, int] | None = None
    orientation: int | None = None
    plain: bool = False
    deep: bool = False
    see_through: tuple[int, ...] | None = None


def sniff(head: bytes) -> str | None:
    """The format that a file's first 32 bytes announce, or None. The file's name plays no part."""
    return next((name for name, signature in _SIGNATURES if signature.match(head)), None)


def inspect(data: bytes) -> Container:
    """Walks the container to its end.

    Raises:
        MalformedError: for anything unknown, cut short or damaged.
    """
    name = sniff(data[:32])
    if name is None:
        raise MalformedError("is not an image in a format that is read here")
    try:
        if name == "jpeg":
            return _inspect_jpeg(data)
        if name == "png":
            return _inspect_png(data)
    except (struct.error, IndexError):
        raise MalformedError(TRUNCATED) from None
    if name == "webp" and len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise MalformedError(TRUNCATED)
    return Container(name)


def _inspect_jpeg(data: bytes) -> Container:
    width = height = components = precision = 0
    orientation = 1
    position = 2
    while True:
        found = _JPEG_MARKER.search(data, position)
        if found is None:
            raise MalformedError(TRUNCATED)
        position = found.end()
        marker = data[position - 1]
        if marker == 0xD9:
            break
        if marker in _JPEG_NO_LENGTH:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if marker in _JPEG_START_OF_FRAME:
            if width:  # decoders differ in which they take
                raise MalformedError("is damaged: it states two sizes")
            precision, height, width, components = struct.unpack_from(">BHHB", data, position + 2)
        elif marker == 0xE1 and data.startswith(b"Exif\0\0", position + 2) and orientation == 1:
            orientation = exif_orientation(data[position + 8 : position + length])
        position += length
    if not width or not height:
        raise MalformedError("has no picture in it")
    return Container("jpeg", (width, height), orientation, plain=precision == 8 and components in (1, 3))


def _inspect_png(data: bytes) -> Container:
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    if data[12:16] != b"IHDR" or not width or not height:
        raise MalformedError("has no picture in it")
    orientation, position, kind = 1, 8, b""
    key: bytes | None = None
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        if zlib.crc32(body, zlib.crc32(kind)) != checksum:
            raise MalformedError(f"is damaged: the checksum of its {kind.decode('latin-1')!r} part is wrong")
        if kind == b"tRNS":
            key = body
        elif kind == b"eXIf":
            orientation = exif_orientation(body)
        position += 12 + length
    return Container(
        "png",
        (width, height),
        orientation,
        plain=depth == 8 and colour in (0, 2) and key is None,
        deep=depth == 16,
        see_through=struct.unpack(f">{len(key) // 2}H", key) if depth == 16 and key else None,
    )


def exif_orientation(exif: bytes) -> int:
    """The orientation tag of an EXIF block (a small TIFF file), 1 where it is missing or makes no sense."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, directory)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(order + "HHIH", exif, directory + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
