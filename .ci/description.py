"""The README as the package index shows it, where a path of the repository leads nowhere.

A path becomes an address below the repository's: ``project.urls.Source``, or where GitHub builds this, the repository
and the commit that it builds. Where neither is known, a picture gives way to its description and a link to its text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PATH = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|mailto:|#)([^)\s]+)\)")


class Description(MetadataHookInterface):
    """Sets ``project.readme``."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, repository(metadata, os.environ))}


def repository(metadata: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[str, str] | None:
    """The repository's address and what of it is built, or None where the address is unknown."""
    address = metadata.get("urls", {}).get("Source")
    if address is None and (name := environment.get("GITHUB_REPOSITORY")):
        address = f"{environment.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}"
    return (address.rstrip("/"), environment.get("GITHUB_SHA") or f"v{metadata['version']}") if address else None


def absolute(text: str, known: tuple[str, str] | None) -> str:
    """Markdown whose pictures and links do not need the repository beside it."""

    def replaced(found: re.Match[str]) -> str:
        picture, words, path = found.groups()
        if known is None:
            return f"*{words}*" if picture else words
        address, commit = known
        return f"{picture}[{words}]({address}/{'raw' if picture else 'blob'}/{commit}/{path})"

    return _PATH.sub(replaced, text)
