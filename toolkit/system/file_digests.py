"""What files hold, as digests, for whoever wants to tell later that they still begin with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.system.disk_errors import read_error

__all__ = ["FileDigests"]

_BLOCK = 1 << 20


@dataclass
class FileDigests:
    """Digests of files that only grow, or stay; each byte is read once.

    Args:
        directory: where they lie.
        names: of those files that a resumed run reads again.
    """

    directory: Path
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._read: dict[str, tuple[Any, int]] = {}

    def state(self) -> dict[str, dict[str, Any]]:
        """``bytes`` and ``sha256`` of each file that there is, as it stands now."""
        return {name: found for name in self.names if (found := self._of(name)) is not None}

    def add(self, name: str) -> None:
        """One more file, or one that was written anew."""
        self._read.pop(name, None)
        if name not in self.names:
            self.names.append(name)

    def _of(self, name: str) -> dict[str, Any] | None:
        path = self.directory / name
        digest, done = self._read.get(name, (hashlib.sha256(), 0))
        try:
            with path.open("rb") as file:
                file.seek(done)
                while block := file.read(_BLOCK):
                    digest.update(block)
                    done += len(block)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise read_error(path, error) from error
        self._read[name] = (digest, done)
        return {"bytes": done, "sha256": digest.hexdigest()}
