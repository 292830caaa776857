"""The images that a run leaves out because they cannot be read: told, listed in its directory, and limited."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from toolkit.errors import VtkError
from toolkit.types.results import Table

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.data.loading.bad_images import Skipped
    from toolkit.run.run import Run

NAME = "skipped.json"
_SAID = 5
_LISTED = 20


def write_skipped(run: Run) -> None:
    """Bring the list in the run's directory up to date; an evaluation of a finished run leaves it as it is."""
    place = _list_of(run)
    if place is not None:
        run.skipped.write(place)


def on_skip(run: Run, split: str, samples: int) -> Callable[[Sequence[Skipped]], None]:
    """What a loader of ``split`` tells of the images that its batches lack.

    Raises:
        VtkError: when called with more images than the data's limit allows; all are listed in the run's directory.
    """
    allowed = math.ceil(run.data.bad_image_limit * samples)

    def report(skipped: Sequence[Skipped]) -> None:
        for one in run.skipped.add(split, skipped):
            count = len(run.skipped.found[split])
            if count <= _SAID:
                more = "; further ones are only listed" if count == _SAID else ""
                run.say(f"warning: left out of {split}: {one.path}: the file {one.reason}{more}")
        if len(run.skipped.found[split]) > allowed:
            write_skipped(run)
            raise _too_many(run, split, samples, allowed)

    return report


def closing_line(run: Run) -> str | None:
    """What is to be said of skipped images when all is over."""
    if not run.skipped:
        return None
    parts = [f"{len(files)} of {split}" for split, files in run.skipped.found.items() if files]
    place = _list_of(run)
    where = "" if place is None else f"; {place} lists them"
    return f"warning: images that cannot be read were left out: {', '.join(parts)}{where}"


def skipped_table(run: Run) -> list[Table]:
    """The report's table of them, if there are any."""
    if not run.skipped:
        return []
    rows = [[split, path, reason] for split, files in run.skipped.found.items() for path, reason in files.items()]
    caption = "Images that cannot be read. No figure counts them; nothing took their place."
    return [Table("skipped-images", caption, ("split", "file", "the file"), rows)]


def _list_of(run: Run) -> Path | None:
    """The run's list, if this is a run that keeps one."""
    return None if run.directory is None or run.trained_meta is not None else run.directory / NAME


def _too_many(run: Run, split: str, samples: int, allowed: int) -> VtkError:
    files, place = run.skipped.found[split], _list_of(run)
    lines = "".join(f"\n  {path}: the file {reason}" for path, reason in list(files.items())[:_LISTED])
    more = f"\n  and {len(files) - _LISTED} more" if len(files) > _LISTED else ""
    limit = f"{run.data.bad_image_limit:.3g}"
    # A task of another package may set the limit itself.
    is_key = hasattr(getattr(run.recipe, "data", None), "bad_image_limit")
    rule, way_out = ("data.bad_image_limit", "; or raise data.bad_image_limit") if is_key else ("the task's limit", "")
    return VtkError(
        f"{len(files)} of the {samples:,} images of {split} cannot be read; "
        f"{rule} ({limit} of them) allows {allowed}:{lines}{more}",
        place=None if place is None else str(place),
        hint=f"Mend or replace them{way_out}.",
    )
