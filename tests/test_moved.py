"""Old names of modules lead to the modules, with a warning that names the new one."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from toolkit.moved import moved_modules


@pytest.mark.parametrize("old", sorted(moved_modules()))
def test_every_new_name_is_a_module_and_no_old_one_is_left(old: str) -> None:
    from importlib.util import find_spec

    new = find_spec(moved_modules()[old])
    assert new is not None
    assert new.origin is not None
    assert new.name == moved_modules()[old]


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("toolkit.data.fused", "toolkit.data.augment.fused_affine", "augment_transform"),
        ("toolkit.models.parts", "toolkit.models.heads", "heads"),
        ("toolkit.data.report.survey", "toolkit.labelled_images.survey", "survey_images"),
        ("toolkit.data.splits", "toolkit.data.splits.splits", "stratified"),
        ("toolkit.data.augment", "toolkit.data.augment.augment", "steps_of"),
        ("toolkit.recipe.schema", "toolkit.recipe.json_schema", "json_schema"),
    ],
)
def test_an_old_name_gives_the_same_object_and_a_warning(old: str, new: str, name: str) -> None:
    script = f"""
import warnings
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    from {old} import {name} as found
from {new} import {name}
assert found is {name}
print(*[str(w.message) for w in told if w.category is DeprecationWarning], sep="\\n")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"is {new}" in done.stdout
    assert "the old name goes with 0.2" in done.stdout


def test_what_lies_in_a_package_itself_is_no_old_name() -> None:
    script = "from toolkit.data.splits import manifest; print(manifest.__name__)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "toolkit.data.splits.manifest\n"


def test_a_name_that_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        import_module("toolkit.data.nothing")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        import_module("toolkit.data.splits").nothing  # noqa: B018
