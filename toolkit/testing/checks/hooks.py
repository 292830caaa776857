"""The plugin's hooks are what its author means them to be."""

from __future__ import annotations

from toolkit.errors import VtkError
from toolkit.recipe.plugins import options_of
from toolkit.testing.findings import ConformanceError, finding
from toolkit.testing.subject import Subject

# The core's own flags; a task's flag of the same name would never be seen.
_TAKEN = ("--out", "--set", "--demo", "--resume", "--device", "--quiet", "--json", "--data", "--split", "--help")


@finding
def check_hooks(subject: Subject) -> None:
    """Hooks are spelt and marked rightly, the required ones are there, and flags stand for keys that exist."""
    try:
        loaded = subject.loaded
    except VtkError as error:
        raise ConformanceError("hooks", error.message, f"mend that; {error.hint}") from error
    for option in options_of(loaded):
        if not option.flag.startswith("--") or option.flag in _TAKEN:
            raise ConformanceError(
                "hooks",
                f"vtk_options offers the flag {option.flag!r}, which cannot be given",
                "name a flag that starts with -- and is none of the toolkit's own",
            )
