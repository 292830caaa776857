"""Halving finds exactly the bad files, whatever their places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ExitCode, VtkError
from toolkit.inference.predict import CHUNK, free_names, predict_files


class Hook:
    """Predicts a file's name; refuses a whole call for the first bad file in it, as tasks do."""

    def __init__(self, bad: set[int], code: ExitCode = ExitCode.DATA) -> None:
        self.bad = bad
        self.code = code
        self.calls = 0

    def vtk_predict(self, bundle: Any, inputs: Sequence[Path], drawings: Any) -> list[dict[str, Any]]:
        self.calls += 1
        for path in inputs:
            if int(path.name) in self.bad:
                raise VtkError("bad", place=str(path), code=self.code)
        return [{"file": str(path)} for path in inputs]


class Asking:
    """Asks the one plugin."""

    def __init__(self, hook: Hook) -> None:
        self.hook = hook

    def call(self, name: str, **arguments: Any) -> Any:
        return getattr(self.hook, name)(**arguments)

    def owner_of(self, name: str) -> None:
        return None


class Opened:
    """As much of a bundle as predicting asks for."""

    network = None

    def __init__(self, hook: Hook) -> None:
        self.manager = Asking(hook)


@given(st.integers(0, 700).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, max(n - 1, 0)), max_size=6))))
def test_every_good_file_has_its_record_in_order(case: tuple[int, set[int]]) -> None:
    count, bad = case
    hook = Hook(bad)
    bundle: Any = Opened(hook)
    found = list(predict_files(bundle, [Path(str(i)) for i in range(count)]))
    assert [int(p.file.name) for p in found] == list(range(count))
    for number, prediction in enumerate(found):
        if number in bad:
            assert prediction.record is None
            assert prediction.error is not None
            assert prediction.error.place == str(number)
        else:
            assert prediction.record == {"file": str(number)}
    assert hook.calls <= -(-count // CHUNK) + 2 * 9 * len(bad)


def test_a_task_that_cannot_predict_is_no_fault_of_the_files() -> None:
    bundle: Any = Opened(Hook({0}, ExitCode.UNAVAILABLE))
    with pytest.raises(VtkError):
        list(predict_files(bundle, [Path("0"), Path("1")]))


def test_drawings_have_names_of_their_own_and_replace_no_input() -> None:
    files = [Path("a/x.jpg"), Path("b/x.png"), Path("out/y.png"), Path("c/x-2.tif")]
    assert free_names(files, Path("out")) == ["x.png", "x-2.png", "y-2.png", "x-2-2.png"]
