"""Everything that a run needs to go on exactly where it stood."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from toolkit.models.weights import other_kinds
from toolkit.run.checkpoint.state_schema import fitting
from toolkit.types.progress import Best, Position

if TYPE_CHECKING:
    from toolkit.run.run import Run


def take_snapshot(run: Run) -> dict[str, Any]:
    """Model, optimizer, schedule, scaler, randomness, position, epoch sums, history and the plugins' state."""
    return {
        "position": asdict(run.position),
        "best": asdict(run.best) if run.best else None,
        "history": run.history,
        "plugins": run.state,
        "precision": asdict(run.precision) if run.precision else None,
        "stop_reason": run.stop_reason,
        "skipped": run.skipped.found,
        "seal": _seal(run),
        "accepted": run.accepted,
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "scheduler": run.scheduler.state_dict() if run.scheduler is not None else None,
        "scaler": run.scaler.state_dict() if run.scaler is not None else None,
        "losses": run.losses.state_dict(),
        "outputs": run.outputs.state_dict() if run.outputs is not None else None,
        "random": _random_state(),
    }


def _seal(run: Run) -> dict[str, Any] | None:
    if run.seal is None or run.sealed_files is None:
        return None
    return {**run.seal, "files": run.sealed_files.state()}


def restore_early(run: Run, tree: dict[str, Any]) -> None:
    """What stages and plugins look at before the model and optimizer exist."""
    run.position = Position(**tree["position"])
    run.best = Best(**tree["best"]) if tree["best"] else None
    run.history = list(tree["history"])
    run.state.update(tree["plugins"])
    run.stop_reason = tree["stop_reason"]
    run.skipped.restore(tree.get("skipped", {}))
    run.accepted = list(tree.get("accepted", []))
    run.resumed = True
    run.restore_from = tree


def restore_late(run: Run) -> None:
    """The rest, once the stage's model and optimizer have their shapes. Randomness comes last."""
    tree, run.restore_from = run.restore_from, None
    if tree is None:
        return
    with fitting(run, "its model, optimizer or schedule"):
        _restore(run, tree)


def _restore(run: Run, tree: dict[str, Any]) -> None:
    require_kinds(run.model, tree["model"])
    run.model.load_state_dict(tree["model"])
    restore_optimizer(run.optimizer, tree["optimizer"])
    if run.scheduler is not None:
        run.scheduler.load_state_dict(tree["scheduler"])
    if run.scaler is not None:
        run.scaler.load_state_dict(tree["scaler"])
    run.losses.load_state_dict(tree["losses"])
    if run.outputs is not None:
        run.outputs.load_state_dict(tree["outputs"])
    _set_random_state(tree["random"])


def require_kinds(model: torch.nn.Module, state: Mapping[str, Any]) -> None:
    """Refuse weights of another kind of number than the model's.

    Raises:
        ValueError: names the first.
    """
    for complaint in other_kinds(model.state_dict(), state):
        raise ValueError(complaint)


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load an optimizer's state, each tensor in the memory format of its parameter.

    A checkpoint holds plain contiguous tensors. Fused optimizers walk parameter, gradient and moments side by side
    through memory, so moments in another format than a channels-last parameter would meet the wrong weights.
    """
    optimizer.load_state_dict(state)
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators, on every device."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _random_state() -> dict[str, Any]:
    python = random.getstate()
    numpy = np.random.get_state(legacy=False)
    return {
        "python": python,
        "numpy": numpy,
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _set_random_state(state: dict[str, Any]) -> None:
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
