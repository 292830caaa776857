"""Checkpoints on disk: each is whole or absent, and a damaged one is always noticed.

A checkpoint is a directory ``<kind>-<step>`` with ``state.safetensors``, ``state.json`` and ``manifest.json``, which
holds the SHA-256 of the other two. It is written under a temporary name, synced and put in its place.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from toolkit.errors import ExitCode, VtkError
from toolkit.run.checkpoint import format as state_file
from toolkit.system.disk_errors import read_error, write_error
from toolkit.system.exchange import repair, replace_directory
from toolkit.system.files import open_new, read_limited, require_space, sync_directory
from toolkit.system.leaving import saving

FOLDER = "checkpoints"
"""Where a run's checkpoints lie in its directory."""
_FILES = ("state.safetensors", "state.json")
_SLACK = 1 << 20
_LARGEST, _LARGEST_STATE = 1 << 20, 1 << 30


class CheckpointStore:
    """The checkpoints of one kind in one directory.

    Args:
        directory: where they lie; made when the first is saved, in a directory that is there.
        kind: prefix of their names, ``step`` or ``best``.
        keep: how many are kept; the newest stay.
    """

    def __init__(self, directory: Path, kind: str = "step", keep: int = 2) -> None:
        self.directory = directory
        self.kind = kind
        self.keep = keep

    def save(self, step: int, tree: Any) -> Path:
        """Store a tree (see :mod:`toolkit.run.checkpoint.format`) as the checkpoint of a step.

        Raises:
            VtkError: no space or no permission; earlier checkpoints are intact.
        """
        with saving():
            return self._save(step, tree)

    def _save(self, step: int, tree: Any) -> Path:
        packed = state_file.pack(tree)
        target = self.directory / f"{self.kind}-{step:09d}"
        temporary = self.directory / f".{target.name}.{os.getpid()}.tmp"
        size = packed.size
        try:
            # Without its parents: where the run's directory is gone, nothing is to be saved in a new one.
            self.directory.mkdir(exist_ok=True)
            require_space(self.directory, size + _SLACK)
            _write_directory(temporary, packed)
            replace_directory(temporary, target)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise write_error(target, error, size) from error
        self._prune(step)
        return target

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, oldest first, damaged ones included."""
        if not self.directory.is_dir():
            return []
        pattern = re.compile(rf"{re.escape(self.kind)}-(\d+)")
        return sorted(int(m[1]) for m in (pattern.fullmatch(p.name) for p in self.directory.iterdir()) if m)

    def state_file(self, step: int) -> Path:
        """The file with everything of a step that is no tensor."""
        return self.directory / f"{self.kind}-{step:09d}" / _FILES[1]

    def load(self, step: int) -> Any:
        """The tree of a step.

        Raises:
            VtkError: the checkpoint is missing or damaged; the file is named.
        """
        directory = self.directory / f"{self.kind}-{step:09d}"
        content = _verified(directory)
        try:
            return state_file.load(*content)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError, SafetensorError) as error:
            raise _damaged(directory, f"it has another form than vtk writes ({type(error).__name__})") from error

    def verify(self, step: int) -> None:
        """Read a step's checkpoint without keeping it.

        Raises:
            VtkError: it is missing or damaged; the file is named.
        """
        _verified(self.directory / f"{self.kind}-{step:09d}")

    def load_latest(self, require: Callable[[Any], None] = lambda _tree: None) -> tuple[Any, int, list[VtkError]]:
        """The newest whole checkpoint, its step, and what was wrong with newer ones.

        Args:
            require: looks at a tree, and raises VtkError where it cannot be gone on from.

        Raises:
            VtkError: there is none (exit code 66), or all are damaged (65).
        """
        self._recover()
        damaged: list[VtkError] = []
        for step in reversed(self.steps()):
            try:
                tree = self.load(step)
                require(tree)
            except VtkError as error:
                if error.code in (ExitCode.IO, ExitCode.OUT_OF_MEMORY):
                    raise
                damaged.append(error)
            else:
                return tree, step, damaged
        if damaged:
            raise damaged[0]
        raise VtkError(
            "there is no checkpoint to go on from",
            place=str(self.directory),
            hint="Start the run without --resume.",
            code=ExitCode.NO_INPUT,
        )

    def _recover(self) -> None:
        """Puts back what stood aside when a save was cut off between its two renames."""
        for aside in self.directory.glob(f".{self.kind}-*.old.tmp"):
            target = self.directory / aside.name.removeprefix(".").removesuffix(".old.tmp")
            try:
                repair(target)
            except OSError as error:
                raise write_error(target, error) from error

    def _prune(self, saved: int) -> None:
        """A run that went on from an earlier step may save below what it left; what was just saved stays."""
        others = [step for step in self.steps() if step != saved]
        for step in others[: len(others) - self.keep + 1]:
            shutil.rmtree(self.directory / f"{self.kind}-{step:09d}", ignore_errors=True)
        for leftover in self.directory.glob(f".{self.kind}-*.tmp"):
            shutil.rmtree(leftover, ignore_errors=True)


def _write_directory(directory: Path, packed: state_file.Packed) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    contents = zip(_FILES, (packed.chunks(), [packed.plain]), strict=True)
    hashes = {name: _write_synced(directory / name, chunks) for name, chunks in contents}
    manifest = json.dumps({"format": 1, "sha256": hashes}).encode()
    _write_synced(directory / "manifest.json", [manifest])
    sync_directory(directory)


def _write_synced(path: Path, chunks: Iterable[bytes | memoryview]) -> str:
    """Write the chunks one after another; returns the SHA-256 of all."""
    digest = hashlib.sha256()
    with open_new(path) as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _verified(directory: Path) -> tuple[bytes, bytes]:
    manifest_path = directory / "manifest.json"
    try:
        hashes = json.loads(read_limited(manifest_path, _LARGEST))["sha256"]
        contents = ((directory / _FILES[0]).read_bytes(), read_limited(directory / _FILES[1], _LARGEST_STATE))
    except FileNotFoundError as error:
        raise _damaged(directory, f"it has lost {Path(error.filename).name}") from error
    except OSError as error:
        again = "If it stays so, remove this checkpoint: the one before is used then."
        raise read_error(directory, error, again) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(directory, str(error)) from error
    for name, content in zip(_FILES, contents, strict=True):
        if not isinstance(hashes, dict) or hashlib.sha256(content).hexdigest() != hashes.get(name):
            raise _damaged(directory / name, "its content does not match its checksum")
    return contents[0], contents[1]


def _damaged(path: Path, reason: str) -> VtkError:
    return VtkError(
        f"the checkpoint is damaged: {reason}",
        place=str(path),
        hint="An earlier checkpoint is used where there is one; otherwise start the run anew.",
        code=ExitCode.DATA,
    )
