"""Reading every file once: is it a picture, which kind, how large, and how does it look."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from toolkit.data.io.decode import MAX_PIXELS, OPENERS, ImageError, decode_bytes, read_bytes
from toolkit.data.io.image_headers import Container, MalformedError, inspect, sniff
from toolkit.data.splits.fingerprints import Look, content_hash, look
from toolkit.data.splits.fingerprints.hashes import LOOK_SIDE
from toolkit.errors import ExitCode
from toolkit.system.progress import step

__all__ = ["Record", "Trouble", "read_file", "scan_files"]

Trouble = Literal["", "missing", "empty", "no-picture", "too-large", "damaged"]

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Record:
    """What reading one file showed.

    Args:
        trouble: why it cannot be used, or nothing; ``reason`` is the decoder's word for it.
        length: of the file, in bytes.
        content: hash of its bytes, None where it is empty or cannot be read.
        format: e.g. ``jpeg``, by its content.
        kinds: what is out of the ordinary in how pixels are kept: ``cmyk``, ``palette``, ``16-bit``, ``transparent``,
            ``animated`` and so on.
        width, height: upright, in pixels; 0 where unknown.
        look: how it looks, None where it cannot be decoded.
        grey: it shows no colour.
    """

    trouble: Trouble = ""
    reason: str = ""
    length: int = 0
    content: bytes | None = None
    format: str = ""
    kinds: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    look: Look | None = None
    grey: bool = False


def scan_files(
    files: Sequence[str | os.PathLike[str]],
    *,
    workers: int | None = None,
    done: Callable[[int], None] = lambda count: None,
) -> list[Record]:
    """Reads every file, in threads: reading, hashing and decoding release the interpreter's lock.

    Args:
        workers: threads; by default one for each core.
        done: told how many more files were read, several at a time.
    """
    portions = [files[start : start + _AT_ONCE] for start in range(0, len(files), _AT_ONCE)]
    records: list[Record] = []
    with (
        step("reading images", len(files)) as reading,
        ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="vtk-scan") as pool,
    ):
        try:
            for portion in pool.map(_read_all, portions):
                records += portion
                done(len(portion))
                reading.more(len(portion))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return records


def _read_all(files: Sequence[str | os.PathLike[str]]) -> list[Record]:
    return [read_file(file) for file in files]


def read_file(file: str | os.PathLike[str]) -> Record:
    """What one file holds. Never raises for what is wrong with it."""
    try:
        data = read_bytes(file)
    except ImageError as error:
        unreadable = error.code in (ExitCode.NO_INPUT, ExitCode.IO)
        return Record("missing" if unreadable else "no-picture", error.reason)
    if not data:
        return Record("empty", "is empty")
    content, form = content_hash(data), sniff(data[:32]) or ""
    try:
        container = inspect(data)
        pixels = decode_bytes(data, file, at_least=LOOK_SIDE)
    except MalformedError as error:
        return Record("damaged", str(error), len(data), content, form)
    except ImageError as error:
        width, height = container.size or (0, 0)
        large = width * height > MAX_PIXELS
        return Record("too-large" if large else "damaged", error.reason, len(data), content, form, (), width, height)
    height, width = pixels.shape[:2]
    if form == "jpeg" and container.size is not None:  # the pixels may be reduced
        width, height = container.size if (container.orientation or 1) < 5 else container.size[::-1]
    seen = look(pixels)
    grey = int((seen.thumbnail.max(axis=2) - seen.thumbnail.min(axis=2)).max()) <= 3
    return Record("", "", len(data), content, form, _kinds_told(data, container), width, height, seen, grey)


def _kinds_told(data: bytes, container: Container) -> tuple[str, ...]:
    """As :func:`_kinds`; none where Pillow stumbles over what the decoder needs not."""
    try:
        return _kinds(data, container)
    except Exception:  # its parsers raise whatever they ran into
        return ()


def _kinds(data: bytes, container: Container) -> tuple[str, ...]:
    if container.format == "jpeg" and container.plain:
        return ()
    with OPENERS[container.format](io.BytesIO(data)) as image:
        kinds = {"cmyk": image.mode == "CMYK", "palette": image.mode in ("P", "PA")}
        kinds["bilevel"] = image.mode == "1"
        kinds["16-bit"] = container.deep or image.mode.startswith("I;16") or _deep_tiff(image)
        kinds["floating-point"] = image.mode == "F"
        kinds["transparent"] = image.has_transparency_data
        several = _frames(image) > 1
        kinds["animated"] = several and container.format != "tiff"
        kinds["several-pages"] = several and container.format == "tiff"
    return tuple(kind for kind, present in kinds.items() if present)


def _frames(image: object) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except (OSError, SyntaxError, ValueError, EOFError):
        return 1  # later frames are damaged; only the first is ever used


def _deep_tiff(image: object) -> bool:
    tags = getattr(image, "tag_v2", None)
    return tags is not None and 16 in tags.get(258, ())
