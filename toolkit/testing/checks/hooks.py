"""The plugin's hooks are what its author means them to be."""

from __future__ import annotations

from toolkit.errors import VtkError
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
    options = getattr(loaded.plugin, "vtk_options", None)
    for option in (options() if options else None) or ():
        if not option.flag.startswith("--") or option.flag in _TAKEN:
            raise ConformanceError(
                "hooks",
                f"vtk_options offers the flag {option.flag!r}, which cannot be given",
                "name a flag that starts with -- and is none of the toolkit's own",
            )
        _require_key(subject, option.flag, option.key)


def _require_key(subject: Subject, flag: str, key: str) -> None:
    from toolkit.recipe.shape import Shape

    places = [Shape.of(subject.loaded.schema)]
    for part in key.split("."):
        # A flag may stand for a key that only some sections of a choice have.
        inner = [shape for place in places for shape in place.parts]
        fields = [shape.model.model_fields.get(part) for shape in inner if shape.model is not None]
        places = inner if part.isdigit() else [Shape.of_field(field) for field in fields if field is not None]
    if not places:
        raise ConformanceError(
            "hooks",
            f"vtk_options offers {flag} for the recipe key {key!r}, which the schema does not have",
            "give Option the dotted key of a field of the class that vtk_config returns",
        )
