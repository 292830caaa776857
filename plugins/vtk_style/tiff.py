"""A small TIFF encoder: 8 or 16 bits a channel, RGB with or without alpha, Deflate, profile and description.

Pillow writes no 16-bit colour TIFF, OpenCV none with a profile. Source: the TIFF 6.0 specification (Adobe, 1992) and
its Deflate and ICC supplements.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

_ASCII, _SHORT, _LONG, _UNDEFINED = 2, 3, 4, 7
_STRIP_BYTES = 1 << 20
_UNASSOCIATED_ALPHA = 2


def encode_tiff(pixels: npt.NDArray[Any], profile: bytes = b"", description: str = "") -> bytes:
    """The content of a TIFF file.

    Args:
        pixels: (H, W, 3 or 4), uint8 or uint16; a fourth channel is straight alpha.
        profile: an ICC profile to embed.
        description: ASCII text for the ImageDescription tag.
    """
    height, width, channels = pixels.shape
    rows = max(1, _STRIP_BYTES // (width * channels * pixels.itemsize))
    little = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<")))
    strips = [zlib.compress(little[top : top + rows].tobytes()) for top in range(0, height, rows)]
    offsets, position = [], 8
    for strip in strips:
        offsets.append(position)
        position += len(strip) + len(strip) % 2
    entries: dict[int, tuple[int, list[int] | bytes]] = {
        256: (_LONG, [width]),
        257: (_LONG, [height]),
        258: (_SHORT, [8 * pixels.itemsize] * channels),
        259: (_SHORT, [8]),  # Deflate
        262: (_SHORT, [2]),  # RGB
        273: (_LONG, offsets),
        277: (_SHORT, [channels]),
        278: (_LONG, [rows]),
        279: (_LONG, [len(strip) for strip in strips]),
        284: (_SHORT, [1]),  # channels interleaved
    }
    if description:
        entries[270] = (_ASCII, description.encode("ascii") + b"\0")
    if channels == 4:
        entries[338] = (_SHORT, [_UNASSOCIATED_ALPHA])
    if profile:
        entries[34675] = (_UNDEFINED, profile)
    body = b"".join(strip + b"\0" * (len(strip) % 2) for strip in strips)
    return struct.pack("<2sHI", b"II", 42, position) + body + _directory(entries, position)


def _directory(entries: dict[int, tuple[int, list[int] | bytes]], position: int) -> bytes:
    """The image file directory at ``position``, followed by the values that do not fit into it."""
    beyond = position + 2 + 12 * len(entries) + 4
    table, values = struct.pack("<H", len(entries)), b""
    for tag, (kind, value) in sorted(entries.items()):
        raw = (
            value if isinstance(value, bytes) else struct.pack(f"<{len(value)}{'H' if kind == _SHORT else 'I'}", *value)
        )
        count = len(value)
        if len(raw) <= 4:
            field = raw.ljust(4, b"\0")
        else:
            field = struct.pack("<I", beyond + len(values))
            values += raw + b"\0" * (len(raw) % 2)
        table += struct.pack("<HHI", tag, kind, count) + field
    return table + struct.pack("<I", 0) + values
