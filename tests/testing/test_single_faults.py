"""Faults of a task that only one sentence of one check can find. Each task here is the good one but for that fault."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from good_task import Good
from pydantic import Field, model_validator
from torch import nn

from toolkit import Data, ExitCode, Figure, OptimizerSetup, Option, Recipe, Section, VtkError, hookimpl
from toolkit.recipe.sections import TrainSection
from toolkit.testing import TASK_CHECKS, ConformanceError, Subject
from toolkit.testing.numbers import Numbers, NumbersRecipe

Make = Callable[..., Subject]
CHANCE = random.SystemRandom()


class KeyedByNumber(Good):
    """JSON has text as keys."""

    @hookimpl
    def vtk_data(self, recipe: Any) -> Data:
        data = super().vtk_data(recipe)
        data.meta["names"] = {0: "zero"}
        return data


class Deaf(nn.Sequential):
    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Takes no weights from anyone."""


class OwnWeights(Good):
    @hookimpl
    def vtk_model(self, recipe: Any) -> nn.Module:
        return Deaf(*Numbers.vtk_model(self, recipe))


class NoEvaluation(Good):
    @hookimpl
    def vtk_data(self, recipe: Any, run: Any) -> Data:
        if run.trained_meta is not None:
            raise VtkError("these data are not those")
        return super().vtk_data(recipe)


class RestlessOptimizer(Good):
    @hookimpl
    def vtk_optimizer(self, model: Any) -> OptimizerSetup:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        optimizer.param_groups[0]["tick"] = CHANCE.random()
        return OptimizerSetup(optimizer)


class RestlessMetric(Good):
    @hookimpl
    def vtk_metrics(self) -> Any:
        from torchmetrics import MeanAbsoluteError, MetricCollection

        class Drawn(MeanAbsoluteError):
            def compute(self) -> Any:
                return super().compute() + CHANCE.random()

        return MetricCollection({"mae": Drawn()})


class BareRefusal(Good):
    @hookimpl
    def vtk_data(self, recipe: Any) -> Data:
        if recipe.data.count > 999:
            raise VtkError("no")
        return super().vtk_data(recipe)


class Late(Section):
    weights: Path = Field(Path("weights.bin"), description="First weights.")


class LateRecipe(NumbersRecipe):
    more: Late = Field(default_factory=Late, description="More.")


class FindsItLate(Good):
    """Looks for its file when the model is built; that is early enough, and must be tried."""

    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        return LateRecipe

    @hookimpl
    def vtk_model(self, recipe: Any) -> nn.Module:
        if not recipe.more.weights.exists():
            raise VtkError("there are no weights", place=str(recipe.more.weights), code=ExitCode.NO_INPUT)
        return super().vtk_model(recipe)


def with_section(validate: Callable[[Any], Any]) -> type[Good]:
    """The good task with a section that a validator sees before pydantic does."""

    class Own(Section):
        side: int = Field(8, description="Side.")

        @model_validator(mode="before")
        @classmethod
        def _validate(cls, value: Any) -> Any:
            return validate(value)

    class OwnRecipe(NumbersRecipe):
        own: Own = Field(default_factory=Own, description="Own.")

    class WithSection(Good):
        @hookimpl
        def vtk_config(self) -> type[Recipe]:
            return OwnRecipe

    return WithSection


def _placeless(value: Any) -> Any:
    if "no_such_key" in value:
        raise VtkError("unknown key no_such_key")
    return value


def _lineless(value: Any) -> Any:
    if "no_such_key" in value:
        raise VtkError("unknown key no_such_key", place="misspelt.yaml")
    return value


def _crashing(value: Any) -> Any:
    return {name: {"side": value["side"]}[name] for name in value}


def _once(value: Any) -> Any:
    if "side" in value and isinstance(value["side"], int):
        raise ValueError("side is given as text")
    return {**value, "side": int(value["side"])} if "side" in value else value


def _growing(value: Any) -> Any:
    return {**value, "side": value["side"] + 1} if "side" in value else value


class Dropping(Section):
    side: int = Field(8, description="Side.")

    @model_validator(mode="before")
    @classmethod
    def _drop(cls, value: Any) -> Any:
        return {name: side for name, side in value.items() if name == "side"}


class DroppingRecipe(NumbersRecipe):
    """Has its fault behind a section that is derived from other keys, and in no file."""

    derived: Late = Field(default_factory=Late, description="Derived.", exclude=True)
    own: Dropping = Field(default_factory=Dropping, description="Own.")


class FaultBehindDerived(Good):
    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        return DroppingRecipe


class NeverValid(Section):
    side: int = Field(8, description="Side.", json_schema_extra={"type": "no type"})


class NeverValidRecipe(NumbersRecipe):
    own: NeverValid = Field(default_factory=NeverValid, description="Own.")


class NoSchema(Good):
    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        return NeverValidRecipe


class Undescribed(Section):
    deep: int = 8


class UndescribedRecipe(NumbersRecipe):
    own: Undescribed = Field(default_factory=Undescribed, description="Own.")


class NoDescription(Good):
    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        return UndescribedRecipe


class ShortTraining(TrainSection):
    epochs: int = 3


class ShortTrainingRecipe(NumbersRecipe):
    own: ShortTraining = Field(default_factory=ShortTraining, description="Own.")


class OtherDefault(Good):
    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        return ShortTrainingRecipe


class StageFlag(Good):
    """A flag may stand for a key of the first stage."""

    @hookimpl
    def vtk_options(self) -> list[Option]:
        return [Option("--first-epochs", key="stages.0.epochs", help=".")]


class ShortFlag(Good):
    @hookimpl
    def vtk_options(self) -> list[Option]:
        return [Option("-n", key="data.count", help=".")]


class NeedsFit(Good):
    """Works until a step is taken outside of training."""

    @hookimpl(wrapper=True)
    def vtk_fit(self, run: Any) -> Any:
        run.local["good"] = True
        return (yield)

    @hookimpl(wrapper=True)
    def vtk_step(self, run: Any) -> Any:
        if "good" not in run.local:
            raise VtkError("training has not begun")
        return (yield)


class TurnedRecords(Good):
    @hookimpl
    def vtk_predict(self, bundle: Any, inputs: Any) -> list[dict[str, Any]]:
        return super().vtk_predict(bundle, inputs)[::-1]


class TwiceAsked(Good):
    def answer(self, bundle: Any, numbers: Any) -> float:
        bundle.network(numbers)
        return super().answer(bundle, numbers)


class NotANumber(Good):
    def answer(self, bundle: Any, numbers: Any) -> float:
        super().answer(bundle, numbers)
        return float("nan")


class Picky(Good):
    """Refuses what it was evaluated on."""

    @hookimpl
    def vtk_predict(self, bundle: Any, inputs: Any) -> list[dict[str, Any]]:
        raise VtkError("holds no numbers", place=str(inputs[0]))


def _answering(broken: bool, absent: bool) -> type[Good]:
    class Answering(Good):
        @hookimpl
        def vtk_predict(self, bundle: Any, inputs: Any) -> list[dict[str, Any]]:
            records = []
            for path in inputs:
                if (broken and path.stem == "broken") or (absent and path.stem == "absent"):
                    records.append({"file": str(path), "value": 0.0})
                else:
                    records += Good.vtk_predict(self, bundle, [path])
            return records

    return Answering


class AllOrNothing(Good):
    """A bad file is said in a way that ends the command."""

    @hookimpl
    def vtk_predict(self, bundle: Any, inputs: Any) -> list[dict[str, Any]]:
        try:
            return super().vtk_predict(bundle, inputs)
        except VtkError as error:
            raise VtkError(error.message, place=error.place, code=ExitCode.USAGE) from error


class Envious(Good):
    """Answers no file beside which another is bad."""

    spoilt = False

    @hookimpl
    def vtk_predict(self, bundle: Any, inputs: Any) -> list[dict[str, Any]]:
        self.spoilt = self.spoilt or any(path.stem == "broken" for path in inputs)
        if self.spoilt:
            raise VtkError("not today", place=str(inputs[0]))
        return super().vtk_predict(bundle, inputs)


class NoSheet(Good):
    """Reports what is there in training alone."""

    @hookimpl
    def vtk_report(self) -> list[Figure]:
        return [Figure("sheet", "The sheet.", lambda _path: {}["picture"])]


class NoReport(Good):
    @hookimpl
    def vtk_report(self) -> None:
        raise ValueError("nothing to tell")


class ForgetfulOptimizer(Good):
    """Notes on the optimizer, which a resumed run builds anew, how often this object was asked for one."""

    asked = 0

    @hookimpl
    def vtk_epoch_end(self, run: Any) -> None:
        self.asked += 1
        run.optimizer.param_groups[0]["asked"] = self.asked


class CountingMetric(Good):
    """Adds to a metric what only this process knows."""

    epochs = 0

    @hookimpl
    def vtk_epoch_end(self) -> None:
        self.epochs += 1

    @hookimpl
    def vtk_metrics(self) -> Any:
        from torchmetrics import MeanAbsoluteError, MetricCollection

        class Shifted(MeanAbsoluteError):
            def compute(metric) -> Any:  # noqa: N805
                return super().compute() + self.epochs

        return MetricCollection({"mae": Shifted()})


FAULTS: list[tuple[str, type[Good], str]] = [
    ("bundle", KeyedByNumber, "data.meta['names'] of vtk_data of the task 'good' (plugin-under-test 0) has the key 0"),
    ("bundle", OwnWeights, "the bundle holds another model than the run's"),
    ("bundle", NoEvaluation, "`vtk eval` of the finished run fails: these data are not those"),
    ("determinism", RestlessOptimizer, "state.optimizer.param_groups.0.tick"),
    ("determinism", RestlessMetric, "end in different places: run."),
    ("errors", with_section(_placeless), "'own' is refused without file, line and column"),
    ("errors", with_section(_lineless), "'own' is refused without file, line and column"),
    ("errors", with_section(_crashing), "'own' raises KeyError"),
    ("errors", FaultBehindDerived, "an unknown key in the section 'own' is ignored in silence"),
    ("schema", with_section(_once), "as a run writes it down cannot be read again"),
    ("schema", with_section(_growing), "as a run writes it down reads as another recipe"),
    ("schema", NoSchema, "no valid JSON Schema"),
    ("schema", NoDescription, "Undescribed.deep has no description"),
    ("hooks", ShortFlag, "-n: a flag starts with -- and has a name"),
    ("plan", NeedsFit, "`vtk check` fails where `vtk run` works: training has not begun"),
    ("predict", TurnedRecords, "the record at the place of"),
    ("predict", TwiceAsked, "rows for 20 files, and 20 in evaluation"),
    ("predict", NotANumber, "the record of 0.txt is no JSON"),
    ("predict", Picky, "a good file cannot be predicted"),
    ("predict", _answering(broken=True, absent=False), "a broken or absent file gets an answer"),
    ("predict", _answering(broken=False, absent=True), "a broken or absent file gets an answer"),
    ("predict", AllOrNothing, "one bad file costs every file its answer"),
    ("predict", Envious, "a good file beside bad ones gets none"),
    ("report", NoSheet, "the report lacks the figure 'sheet': KeyError: 'picture'"),
    ("report", NoReport, "the report lacks what the task and the extensions add: ValueError: nothing to tell"),
    ("resume", ForgetfulOptimizer, "state.optimizer.param_groups.0.asked"),
    ("resume", CountingMetric, "run."),
]


@pytest.mark.parametrize(
    ("check", "plugin", "words"), FAULTS, ids=[f"{check}-{plugin.__name__}" for check, plugin, _ in FAULTS]
)
def test_a_task_with_one_fault_fails_the_check_for_it(
    check: str, plugin: type[Good], words: str, subject: Make
) -> None:
    with pytest.raises(ConformanceError) as caught:
        TASK_CHECKS[check](subject(plugin()))
    assert caught.value.check == check
    assert words in caught.value.found


def test_a_key_of_the_toolkit_with_another_default_needs_no_description_again(subject: Make) -> None:
    TASK_CHECKS["schema"](subject(OtherDefault()))


def test_an_error_that_says_neither_where_nor_what_to_do(subject: Make) -> None:
    with pytest.raises(ConformanceError, match="says neither where nor what to do: no"):
        TASK_CHECKS["errors"](subject(BareRefusal(), missing=["data.count=1000"]))


def test_data_may_be_missed_when_the_model_is_built(subject: Make, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").touch()
    TASK_CHECKS["errors"](subject(FindsItLate(), f"more.weights={tmp_path}/weights.bin"))


def test_a_flag_for_the_first_stage_leads_somewhere(subject: Make) -> None:
    TASK_CHECKS["hooks"](subject(StageFlag()))


def test_a_plugin_that_listing_imports(tmp_path: Path) -> None:
    """As a ``.pth`` file in its distribution would see to; here it is a module of the listing's own."""
    listed = Subject("toolkit.hooks.entry:GROUPS", {"task": "listed"}, folder=tmp_path, name="listed")
    with pytest.raises(ConformanceError, match=r"listing the plugins imports toolkit\.hooks\.entry"):
        TASK_CHECKS["imports"](listed)
