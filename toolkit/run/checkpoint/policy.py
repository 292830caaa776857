"""What a run keeps while it trains: checkpoints to go on from, and the best weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.run.checkpoint.state import take_snapshot
from toolkit.run.checkpoint.store import FOLDER, CheckpointStore
from toolkit.run.directions import Mode, higher_is_better, metric_directions
from toolkit.run.directory import require_own
from toolkit.types.progress import Best

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.run.run import Run


def checkpoint_store(directory: Path, keep: int = 2) -> CheckpointStore:
    """The store of a run's resumable checkpoints."""
    return CheckpointStore(directory / FOLDER, "step", keep)


def best_store(directory: Path) -> CheckpointStore:
    """The store of a run's best weights."""
    return CheckpointStore(directory / FOLDER, "best", 2)


def last_step(directory: Path) -> int | None:
    """The step of the newest checkpoint to go on from, whole or not; None where there is none."""
    try:
        return max(checkpoint_store(directory).steps(), default=None)
    except OSError:
        return None


def save_checkpoint(run: Run) -> None:
    """Save everything that resuming needs, now."""
    run.checkpoint_wanted = False
    if run.directory is not None:
        require_own(run.directory)
        checkpoint_store(run.directory, run.checkpoints_kept).save(run.position.step, take_snapshot(run))
        run.checkpoint_step = run.position.step


def checkpoint_if_wanted(run: Run) -> None:
    """Save a checkpoint if a plugin asked for one."""
    if run.checkpoint_wanted:
        save_checkpoint(run)


def save_last(run: Run) -> None:
    """Save where training ended, unless the last epoch's checkpoint is just that."""
    if run.checkpoint_step != run.position.step:
        save_checkpoint(run)


def keep_best(run: Run, metrics: dict[str, float]) -> None:
    """Store the weights if this epoch is the best so far by ``train.best``."""
    best = run.best
    if best is None or best.metric not in metrics or not best.improves(metrics[best.metric]):
        return
    best.value, best.epoch, best.step = metrics[best.metric], run.position.epoch, run.position.step
    if run.directory is not None:
        require_own(run.directory)
        best_store(run.directory).save(best.step, {**kept_weights(run), "value": best.value})


def kept_weights(run: Run) -> dict[str, Any]:
    """The weights that validation judges, and beside an average those as trained."""
    if run.average is None:
        return {"model": run.model.state_dict()}
    return {"model": run.average.state_dict(), "raw": run.model.state_dict()}


def load_best(run: Run) -> dict[str, Any] | None:
    """Put the weights to keep into the model: the best, or where none are kept the last.

    Returns:
        The same moment's weights as trained, where those in the model are an average.
    """
    tree: dict[str, Any]
    if run.best is not None and run.best.value is not None and run.directory is not None:
        tree = best_store(run.directory).load(run.best.step)
    elif run.average is not None:
        tree = {name: _copied(state) for name, state in kept_weights(run).items()}
    else:
        return None
    run.average = None
    run.model.load_state_dict(tree["model"])
    return tree.get("raw")


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.clone() for name, tensor in state.items()}


def plan_best(run: Run, wanted: str, mode: Mode = "auto") -> Best | None:
    """What ``train.best`` means for this task and data; None keeps the last weights.

    Raises:
        VtkError: the recipe names a metric that there is not, or of which nobody says the direction.
    """
    if wanted == "last":
        return None
    if wanted == "auto":
        names = [name for name in metric_directions(run) if name.startswith("val/")]
        wanted = names[0] if names else "train/loss"
    higher = higher_is_better(
        run, wanted, mode, key="train.best", mode_key="train.best_mode", instead="; `last` keeps the last weights"
    )
    return Best(wanted, higher)
