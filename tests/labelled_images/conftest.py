"""Weights that need no network, and the toy task alone."""

from __future__ import annotations

import pytest
from hub_folders import hub, in_hugging_face_cache, no_network, no_proxy, served

from toolkit.hooks.catalogue import Catalogue, Plugin

__all__ = ["hub", "in_hugging_face_cache", "no_network", "no_proxy", "served"]


@pytest.fixture
def catalogue() -> Catalogue:
    """The toy task and nothing else."""
    return Catalogue([Plugin("toy", "task", "toy_task:plugin", "toy", "1.0", "least squares")])
