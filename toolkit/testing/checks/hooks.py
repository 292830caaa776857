"""The plugin's hooks are what its author means them to be."""

from __future__ import annotations

from toolkit.errors import VtkError
from toolkit.recipe.plugins import options_of
from toolkit.testing.findings import ConformanceError, finding
from toolkit.testing.subject import Subject


@finding
def check_hooks(subject: Subject) -> None:
    """Hooks are spelt and marked rightly, the required ones are there, and flags stand for keys that exist."""
    try:
        loaded = subject.loaded
    except VtkError as error:
        raise ConformanceError("hooks", error.message, f"mend that; {error.hint}") from error
    options_of(loaded)
