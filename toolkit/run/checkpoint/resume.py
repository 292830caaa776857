"""A resumed run goes on with what it began with: recipe, files and samples. Any difference is refused, or accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import ExitCode
from toolkit.run.checkpoint.changes import Change, note_accepted, require_accepted
from toolkit.run.checkpoint.seal import changed_files, changed_recipe, changed_samples, seal_data, seal_recipe

if TYPE_CHECKING:
    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.run.run import Run

__all__ = ["changed_start", "take_up"]


def changed_start(
    resolved: ResolvedRecipe, directory: Path, snapshot: Mapping[str, Any], accept: Sequence[str]
) -> list[Change]:
    """What differs, and is accepted, before any data are read: recipe and files of the run.

    Raises:
        VtkError: something is not accepted (78 where it is in the recipe, else 65).
    """
    seal = snapshot.get("seal")
    if seal is None:
        # A checkpoint of an earlier version: all that is left to compare with is the run's own recipe.
        from toolkit.recipe.load import load_recipe

        seal = {"recipe": seal_recipe(load_recipe(directory)), "files": {}}
    recipe, files = changed_recipe(seal["recipe"], resolved), changed_files(directory, seal["files"])
    require_accepted([*recipe, *files], accept, directory, ExitCode.RECIPE if recipe else ExitCode.DATA)
    return [*recipe, *files]


def take_up(run: Run, snapshot: Mapping[str, Any], changes: Sequence[Change], accept: Sequence[str]) -> None:
    """Compare the samples, too; tell and keep what is accepted. From here on the run is held to what there is now.

    Raises:
        VtkError: samples have changed, and that is not accepted (exit code 65).
    """
    assert run.directory is not None
    seal = snapshot.get("seal")
    samples = [] if seal is None else changed_samples(seal["data"], run)
    require_accepted(samples, accept, run.directory, ExitCode.DATA)
    note_accepted(run, [*changes, *samples])
    for key in accept:
        if not any(change.key == key or change.key.startswith(f"{key}.") for change in [*changes, *samples]):
            run.say(f"note: --accept {key}: nothing of that name has changed")
    data = seal_data(run) if samples or seal is None else seal["data"]
    run.seal = {"recipe": seal_recipe(run.resolved), "data": data}
