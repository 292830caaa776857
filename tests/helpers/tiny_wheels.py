"""Writes small wheels as they are defined (PEP 427), without a build tool, so that a dozen of them cost nothing."""

from __future__ import annotations

import base64
import hashlib
import textwrap
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_wheel(
    folder: Path,
    name: str,
    files: Mapping[str, str],
    *,
    points: Mapping[str, Mapping[str, str]],
    version: str = "1.0",
    requires: Sequence[str] = ("vision-toolkit>=0.1",),
) -> Path:
    """The wheel of a distribution.

    Args:
        files: text by path inside the wheel.
        points: entry points by group.
        requires: what the distribution depends on.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {name} for tests\n"
    groups = "\n".join(
        "\n".join([f"[{group}]", *(f"{point} = {value}" for point, value in named.items()), ""])
        for group, named in points.items()
    )
    content = {path: textwrap.dedent(text) for path, text in files.items()} | {
        f"{info}/METADATA": head + "".join(f"Requires-Dist: {requirement}\n" for requirement in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": groups,
    }
    record = [f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in content.items()]
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inner, text in content.items():
            wheel.writestr(inner, text)
        wheel.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
