"""A resumed run goes on with the recipe that it began with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import ExitCode, VtkError
from toolkit.run.directory import require_run

if TYPE_CHECKING:
    from toolkit.recipe.resolved import ResolvedRecipe

_FREE = ("name", "train.device", "train.log_every", "loader.workers", "loader.kind", "loader.prefetch", "extensions")


def require_same_recipe(resolved: ResolvedRecipe, directory: Path) -> None:
    """Refuse to go on with another recipe than the run's own. Where and how it runs may differ.

    ``train.precision: auto`` was settled when the run began, and stays what it was then.

    Raises:
        VtkError: a value that shapes the result is not what it was (78), or there is no run (66).
    """
    from toolkit.recipe.resolved import ResolvedRecipe

    saved = ResolvedRecipe.from_directory(require_run(directory))
    changes = differences(saved.to_dict(), resolved.to_dict())
    if not changes:
        return
    lines = "\n".join(f"  {key}: was {was!r}, is {now!r}" for key, (was, now) in changes.items())
    raise VtkError(
        f"the recipe is not the one that this run began with:\n{lines}",
        place=str(directory),
        hint=f"Go on with the run's own recipe (vtk run {directory} --resume), or start a new run with another --out.",
        code=ExitCode.RECIPE,
    )


def differences(was: Any, now: Any, key: str = "") -> dict[str, tuple[Any, Any]]:
    """What differs between two resolved recipes, by dotted key, without what does not shape the result."""
    if key in _FREE or (key == "train.precision" and now == "auto"):
        return {}
    if isinstance(was, dict) and isinstance(now, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for name in [*was, *(name for name in now if name not in was)]:
            found |= differences(was.get(name), now.get(name), f"{key}.{name}" if key else str(name))
        return found
    return {} if was == now else {key: (was, now)}
