"""A folder of distributions that the real discovery finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin_site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An empty folder on ``sys.path`` to install distributions into."""
    folder = tmp_path / "site"
    folder.mkdir()
    with Site(folder).active() as site:
        yield site
