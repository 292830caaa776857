"""A good task with a tiny recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from good_task import RECIPE, write_samples

from toolkit.testing import Subject


@pytest.fixture
def subject(tmp_path: Path) -> Callable[..., Subject]:
    """A plugin with the tiny recipe."""

    def make(plugin: object, *sets: str, **kwargs: Any) -> Subject:
        kwargs.setdefault("recipe", RECIPE)
        return Subject(plugin, kwargs.pop("recipe"), folder=tmp_path, sets=sets, files=write_samples, **kwargs)

    return make
