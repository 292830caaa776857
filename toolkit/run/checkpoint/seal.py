"""What a run began with, kept in every checkpoint, so that a resumed run can tell whether it still has it.

A seal holds a copy of the resolved recipe, a mark for each sample of the data, and what those files in the run's
directory held that a resumed run reads again. The checkpoint's own manifest vouches for the seal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.errors import ExitCode
from toolkit.run.checkpoint.changes import Change, changes_error
from toolkit.system.disk_errors import read_error
from toolkit.types.stamps import GONE, choose_how

if TYPE_CHECKING:
    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.run.run import Run

__all__ = [
    "changed_files",
    "changed_recipe",
    "changed_samples",
    "require_as_trained",
    "seal_data",
    "seal_recipe",
]

SAMPLES = "samples"
"""The key under which changed samples are accepted."""

_WHERE_AND_HOW = ("name", "train.device", "train.log_every", "loader.workers", "loader.kind", "loader.prefetch")


def changed_files(directory: Path, sealed: Mapping[str, Mapping[str, Any]]) -> list[Change]:
    """Files that no longer begin with what they held; what was written after the checkpoint is cut off elsewhere."""
    changes = []
    for name, was in sealed.items():
        path = directory / name
        try:
            with path.open("rb") as file:
                content = file.read(int(was["bytes"]))
        except FileNotFoundError:
            changes.append(Change(name, "as the run wrote it", "gone"))
            continue
        except OSError as error:
            raise read_error(path, error) from error
        if hashlib.sha256(content).hexdigest() != was["sha256"]:
            changes.append(Change(name, "as the run wrote it", "changed"))
    return changes


def seal_recipe(resolved: ResolvedRecipe) -> dict[str, Any]:
    """A copy of what shapes the result of a recipe, and the keys that do not."""
    free = _free(resolved)
    return {"values": _without(resolved.to_dict(), set(free)), "free": free}


def require_as_trained(resolved: ResolvedRecipe, directory: Path, facts: Mapping[str, Any]) -> None:
    """Refuse to evaluate a run by another recipe or split than those that its model was trained with.

    Args:
        resolved: the run's recipe as it is now.
        facts: of its bundle.

    Raises:
        VtkError: they are not what they were (exit code 65).
    """
    changes = changed_recipe({"values": facts["recipe"], "free": ["demo", "inference.precision"]}, resolved)
    if changes := [*changes, *changed_files(directory, facts.get("run_files", {}))]:
        hint = f"Bring back what it was; the recipe as it was is in {directory / 'bundle' / 'bundle.json'}."
        raise changes_error("what the model was trained with has changed", changes, directory, hint, ExitCode.DATA)


def changed_recipe(sealed: Mapping[str, Any], resolved: ResolvedRecipe) -> list[Change]:
    """What shapes the result and differs between the recipe that a run began with and another."""
    free = {*sealed["free"], *_free(resolved)}
    was, now = _today(sealed["values"], resolved), resolved.to_dict()
    return [Change(key, *values) for key, values in differences(was, now, free).items()]


def differences(was: Any, now: Any, free: set[str], key: str = "") -> dict[str, tuple[Any, Any]]:
    """What differs between two resolved recipes, by dotted key, without the keys in ``free``."""
    if key in free or (key == "train.precision" and now == "auto"):
        # What `auto` chose is kept with the checkpoint.
        return {}
    if isinstance(was, dict) and isinstance(now, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for name in [*was, *(name for name in now if name not in was)]:
            found |= differences(was.get(name), now.get(name), free, f"{key}.{name}" if key else str(name))
        return found
    same = was == now or (key.startswith("extensions.") and not was and not now)
    return {} if same else {key: (was, now)}


def seal_data(run: Run) -> dict[str, Any]:
    """Marks of the run's samples; where the task gives none, its fingerprint."""
    how = choose_how(list(run.data.stamps.values()))
    marks = {split: stamps.marks(how).view(np.int64) for split, stamps in run.data.stamps.items()}
    return {"how": how, "marks": marks, "fingerprint": run.data.fingerprint}


def changed_samples(sealed: Mapping[str, Any], run: Run) -> list[Change]:
    """Samples that are not what they were. Those that are gone are left to whoever reads them."""
    if not run.data.stamps:
        was, now = sealed["fingerprint"], run.data.fingerprint
        return [] if was == now else [Change(SAMPLES, was, now)]
    changes = []
    for split, stamps in run.data.stamps.items():
        was = sealed["marks"].get(split)
        if was is None or len(was) != len(stamps.names):
            changes.append(Change(SAMPLES, _count(was), _count(stamps.names), split))
            continue
        old, new = was.view(np.uint64), stamps.marks(sealed["how"])
        names = [stamps.names[int(i)] for i in np.flatnonzero((old != new) & (old != GONE) & (new != GONE))]
        changes += [Change(SAMPLES, "as it was", "another", f"{split}: {name}") for name in names]
    return changes


def _free(resolved: ResolvedRecipe) -> list[str]:
    """Where and how a run runs, and extensions that only look on."""
    onlookers = [name for name, options in resolved.extensions.items() if not options.shapes_result]
    return [*_WHERE_AND_HOW, *(f"extensions.{name}" for name in onlookers)]


def _without(values: Any, free: set[str], key: str = "") -> Any:
    if not isinstance(values, dict):
        return values
    paths = {name: f"{key}.{name}" if key else str(name) for name in values}
    return {name: _without(value, free, paths[name]) for name, value in values.items() if paths[name] not in free}


def _today(values: dict[str, Any], resolved: ResolvedRecipe) -> dict[str, Any]:
    """A recipe as an earlier version may have kept it, with the keys that have come since at their defaults."""
    import json

    from pydantic import ValidationError

    demo = {"demo": True} if values.get("demo") is True else {}
    rest = {key: value for key, value in values.items() if key != "demo"}
    try:
        typed = type(resolved.recipe).model_validate_json(json.dumps(rest))
    except ValidationError:
        return values
    return typed.model_dump(mode="json") | demo


def _count(samples: Sequence[Any] | None) -> str:
    return "none" if samples is None else f"{len(samples):,} samples"
