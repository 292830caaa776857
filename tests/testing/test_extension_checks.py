"""The checks of an extension, which runs beside a task that learns numbers."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pydantic import Field

from toolkit import Section, hookimpl
from toolkit.testing import EXTENSION_CHECKS, ConformanceError, check_extension, extension_subject
from toolkit.testing.numbers import plugin as numbers


class Options(Section):
    """How often."""

    every: int = Field(1, ge=1, description="Epochs between two counts.")


class Counter:
    @hookimpl
    def vtk_config(self) -> type[Section]:
        return Options

    @hookimpl
    def vtk_epoch_end(self, run: Any) -> None:
        if run.epoch % run.options("counter").every == 0:
            run.plugin_state("counter", count=0)["count"] += 1


class Meddler(Counter):
    """Takes random numbers that the training would have got."""

    @hookimpl
    def vtk_epoch_end(self, run: Any) -> None:
        import torch

        torch.manual_seed(random.SystemRandom().randrange(1000))


class Amnesiac(Counter):
    """Stops the run by a count that it keeps on itself."""

    def __init__(self) -> None:
        self.count = 0

    @hookimpl
    def vtk_epoch_end(self, run: Any) -> None:
        self.count += 1
        if self.count == 2:
            run.stop("two epochs")


class Flawed(Options):
    every: int = Field(0, ge=1, description="Epochs between two counts.")


class Default(Counter):
    @hookimpl
    def vtk_config(self) -> type[Section]:
        return Flawed


def test_a_good_extension_passes() -> None:
    report = check_extension(Counter(), {"every": 2}, name="counter")
    assert report.passed == [name for name in EXTENSION_CHECKS if name != "imports"]


def test_the_builtin_extensions_pass() -> None:
    assert check_extension("early_stopping", {"patience": 2}, strict=True).passed == list(EXTENSION_CHECKS)
    assert check_extension("ema", strict=True).passed == list(EXTENSION_CHECKS)


@pytest.mark.parametrize(
    ("plugin", "check", "says"),
    [
        (Meddler(), "determinism", "two runs with the same seed end in different places"),
        (Amnesiac(), "resume", "ends elsewhere than one that was left alone"),
        (Default(), "hooks", "Flawed.every: bad default"),
    ],
)
def test_a_bad_extension_fails(plugin: Any, check: str, says: str, tmp_path: Any) -> None:
    subject = extension_subject(plugin, folder=tmp_path, name="counter")
    with pytest.raises(ConformanceError, match=says) as caught:
        EXTENSION_CHECKS[check](subject)
    assert caught.value.check == check


def test_options_that_do_not_exist_are_refused_at_their_place(tmp_path: Any) -> None:
    EXTENSION_CHECKS["errors"](extension_subject(Counter(), folder=tmp_path, name="counter"))
    assert numbers.vtk_config().model_fields["data"].description
