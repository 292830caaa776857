"""``run.state`` as it was at the end of a run, for those who evaluate it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.run.checkpoint.store import FOLDER, CheckpointStore

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.run.run import Run


def save_plugin_state(run: Run) -> None:
    """Write what the plugins keep into the run's directory; nothing where they keep nothing."""
    assert run.directory is not None
    if run.state:
        _store(run.directory).save(run.step, run.state)


def load_plugin_state(directory: Path) -> dict[str, Any]:
    """What the plugins of a finished run kept; empty where they kept nothing, or its checkpoints were deleted.

    Raises:
        VtkError: it is damaged.
    """
    store = _store(directory)
    steps = store.steps()
    return dict(store.load(steps[-1])) if steps else {}


def _store(directory: Path) -> CheckpointStore:
    return CheckpointStore(directory / FOLDER, kind="end", keep=1)
