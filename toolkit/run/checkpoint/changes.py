"""Differences between what a run began with and what it meets when it goes on: shown, refused, or accepted by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import ExitCode, VtkError
from toolkit.system.printable import printable
from toolkit.types.results import Table

if TYPE_CHECKING:
    from toolkit.run.run import Run

__all__ = ["Change", "accepted_table", "changes_error", "note_accepted", "require_accepted"]

_SHOWN = 20
_WIDEST = 60


@dataclass(frozen=True)
class Change:
    """One difference.

    Args:
        key: what ``--accept`` names: a recipe's dotted key, a file of the run, or ``samples``.
        was: as the run began.
        now: as it is found.
        where: which of several things under the key.
    """

    key: str
    was: Any
    now: Any
    where: str = ""


def require_accepted(changes: Sequence[Change], accept: Sequence[str], directory: Path, code: ExitCode) -> None:
    """Refuse changes that are not accepted, with a table of them.

    Args:
        accept: keys; one accepts all below it, as ``train`` does ``train.epochs``.

    Raises:
        VtkError: there are such.
    """
    refused = [change for change in changes if not _is_accepted(change.key, accept)]
    if not refused:
        return
    keys = " ".join(f"--accept {key}" for key in dict.fromkeys(change.key for change in refused))
    hint = f"Bring back what it was, or go on with what is there by adding\n{keys}"
    raise changes_error("what this run began with has changed", refused, directory, hint, code)


def changes_error(what: str, changes: Sequence[Change], place: Path, hint: str, code: ExitCode) -> VtkError:
    """An error with a table of the changes."""
    rows = [(_name(change), _short(change.was), _short(change.now)) for change in changes[:_SHOWN]]
    more = f"\n  and {len(changes) - _SHOWN:,} more" if len(changes) > _SHOWN else ""
    table = _aligned([("", "was", "is"), *rows])
    return VtkError(f"{what}:\n{table}{more}", place=str(place), hint=hint, code=code)


def note_accepted(run: Run, changes: Sequence[Change]) -> None:
    """Tell what is accepted, and keep it with the run."""
    for change in changes[:_SHOWN]:
        run.say(f"accepted: {_name(change)}: was {_short(change.was)}, is {_short(change.now)}")
    if len(changes) > _SHOWN:
        run.say(f"accepted: {len(changes) - _SHOWN:,} changes more")
    stamp = {"epoch": run.epoch, "step": run.step}
    run.accepted += [{**asdict(change), **stamp} for change in changes]


def accepted_table(run: Run) -> list[Table]:
    """The report's table of what changed while the run was interrupted, if anything did."""
    if not run.accepted:
        return []
    rows = [[one["key"], one["where"], _short(one["was"]), _short(one["now"]), one["epoch"]] for one in run.accepted]
    caption = "What was changed while the run was interrupted, and accepted when it went on. Its figures are of both."
    return [Table("accepted-changes", caption, ("what", "which", "was", "is", "after epoch"), rows)]


def _is_accepted(key: str, accept: Sequence[str]) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in accept)


def _name(change: Change) -> str:
    return printable(f"{change.key} ({change.where})" if change.where else change.key)


def _short(value: Any) -> str:
    text = printable(value if isinstance(value, str) else repr(value))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(f"  {line}" for line in lines)
