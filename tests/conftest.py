"""What holds for the whole suite."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.helpers.process_state import changes, process_state

# Each of the processes that share the cores gets one thread; spinning pools that outnumber the cores slow everything.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test depends on the processor: here none has bf16. `VTK_CPU_FEATURES=avx512_bf16 pytest -m formats` has it.
os.environ.setdefault("VTK_CPU_FEATURES", "none")

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")


@pytest.fixture(autouse=True)
def process_as_found() -> Iterator[None]:
    """Fails the test that leaves the process changed, rather than one of those after it."""
    before = process_state()
    yield
    assert changes(before, process_state()) == {}, "this test leaves the process changed"
