"""Each check passes on a good task and fails, with what to do, on one that breaks just that promise."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import random
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from good_task import RECIPE, Good, write_samples
from plugin_site import Site
from pydantic import ConfigDict, Field, model_validator

from toolkit import Data, Option, Recipe, Section, VtkError, hookimpl
from toolkit.testing import TASK_CHECKS, ConformanceError, NotApplicable, Subject, check_task, entry_of
from toolkit.testing.numbers import NoisyNumbers, NumbersData, NumbersRecipe

Make = Callable[..., Subject]


def failure(check: str, subject: Subject) -> ConformanceError:
    with pytest.raises(ConformanceError) as caught:
        TASK_CHECKS[check](subject)
    assert caught.value.check == check
    assert caught.value.remedy in str(caught.value)
    return caught.value


def recipe_with(**fields: Any) -> type[Recipe]:
    """The numbers' recipe with more or other fields."""
    return type(
        "OtherRecipe",
        (NumbersRecipe,),
        {"__annotations__": {k: v[0] for k, v in fields.items()}} | {k: v[1] for k, v in fields.items()},
    )


class WithRecipe(Good):
    def __init__(self, recipe: type[Recipe]) -> None:
        self.recipe = recipe

    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        return self.recipe

    def __deepcopy__(self, memo: Any) -> WithRecipe:
        return WithRecipe(self.recipe)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return Subject(Good(), RECIPE, folder=tmp_path_factory.mktemp("good"), files=write_samples)


@pytest.mark.parametrize("check", [name for name in TASK_CHECKS if name != "imports"])
def test_a_good_task_passes(check: str, good: Subject) -> None:
    TASK_CHECKS[check](good)


class Misspelt(Good):
    @hookimpl
    def vtk_epoch_ends(self, run: Any) -> None: ...


class Defaulted(Good):
    @hookimpl
    def vtk_loss(self, recipe: Any = None) -> Any: ...


@pytest.mark.parametrize(
    ("plugin", "says"),
    [
        (Misspelt(), "vtk_epoch_ends: there is no such hook; did you mean 'vtk_epoch_end'?"),
        (Defaulted(), "has a default"),
    ],
)
def test_hooks_that_would_never_be_called(plugin: Any, says: str, subject: Make) -> None:
    assert says in failure("hooks", subject(plugin)).found


class Flags(Good):
    def __init__(self, *flags: Option) -> None:
        self.flags = flags

    @hookimpl
    def vtk_options(self) -> tuple[Option, ...]:
        return self.flags


def test_flags_that_cannot_work(subject: Make) -> None:
    taken = failure("hooks", subject(Flags(Option("--out", key="data.count", help="."))))
    assert "--out: that is an option of vtk run, vtk check, vtk tune" in taken.found
    nowhere = failure("hooks", subject(Flags(Option("--n", key="data.number", help="."))))
    assert "--n: the schema has no key 'data.number'" in nowhere.found
    TASK_CHECKS["hooks"](subject(Flags(Option("--n", key="data.count", help="."))))


def test_a_key_without_description(subject: Make) -> None:
    recipe = recipe_with(extra=(int, Field(default=1)))
    assert "OtherRecipe.extra has no description" in failure("schema", subject(WithRecipe(recipe))).found


class Lax(NumbersData):
    model_config = ConfigDict(extra="ignore")


def test_a_section_that_ignores_unknown_keys(subject: Make) -> None:
    recipe = recipe_with(data=(Lax, Field(default_factory=Lax, description=".")))
    assert "Lax takes keys that it does not know" in failure("schema", subject(WithRecipe(recipe))).found
    assert "'data' is ignored in silence" in failure("errors", subject(WithRecipe(recipe))).found


class Doubled(Section):
    side: int = Field(8, description="Side.")

    @model_validator(mode="before")
    @classmethod
    def _twice(cls, value: Any) -> Any:
        return {**value, "side": 2 * value.get("side", 8)} if isinstance(value, dict) else value


def test_a_recipe_that_reads_otherwise_once_it_was_written_down(subject: Make) -> None:
    recipe = recipe_with(more=(Doubled, Field(default_factory=lambda: Doubled(side=4), description=".")))
    assert "reads as another recipe" in failure("schema", subject(WithRecipe(recipe))).found


class Unseen(Section):
    side: int | str = Field(8, description="Side.", json_schema_extra={"minimum": 100})


def test_a_json_schema_that_refuses_what_the_toolkit_takes(subject: Make) -> None:
    recipe = recipe_with(more=(Unseen, Field(default_factory=Unseen, description=".")))
    assert "the JSON Schema refuses the recipe at more.side" in failure("schema", subject(WithRecipe(recipe))).found


class Shared(NoisyNumbers):
    """Draws from the generator of whoever prepares the batch: another one in a worker, be it a thread or a process."""

    def __getitem__(self, index: Any) -> Any:
        sample = super().__getitem__(index)
        in_worker = multiprocessing.parent_process() is not None or threading.current_thread().name != "MainThread"
        return sample._replace(inputs=sample.inputs + random.Random(in_worker).random())


class Ticking(NoisyNumbers):
    """Counts what was asked of it, so the second run of a process draws otherwise than the first."""

    asked = 0

    def __getitem__(self, index: Any) -> Any:
        Ticking.asked += 1
        sample = super().__getitem__(index)
        return sample._replace(inputs=sample.inputs + Ticking.asked % 7)


class WithData(Good):
    def __init__(self, train: type[NoisyNumbers]) -> None:
        self.train = train

    @hookimpl
    def vtk_data(self, recipe: Any) -> Data:
        held_out = NoisyNumbers(20, 0.0)
        return Data(train=self.train(recipe.data.count, 0.1), val=held_out, meta={"features": 4})


def test_two_runs_that_draw_differently(subject: Make) -> None:
    found = failure("determinism", subject(WithData(Ticking)))
    assert re.search(
        r"two runs with the same seed end in different places: weights\.0\.weight: \d+ of 32 numbers", found.found
    )
    assert "index.rng()" in found.remedy


def test_workers_that_draw_from_generators_of_their_own(subject: Make) -> None:
    found = failure("determinism", subject(WithData(Shared)))
    assert "runs with 0 and with 2 workers end in different places" in found.found
    assert "thread_safe" in found.remedy


class Listed(NoisyNumbers):
    """Fetched in processes."""

    thread_safe = False


class Holding(Listed):
    """Holds what cannot be sent to a process."""

    def __init__(self, count: int, noise: float) -> None:
        super().__init__(count, noise)
        self.scale = lambda x: x


class Counted(Listed):
    """Holds a lock that processes share, which goes to those that are being started alone."""

    def __init__(self, count: int, noise: float) -> None:
        super().__init__(count, noise)
        self.lock = multiprocessing.get_context("spawn").Lock()


class Joining(WithData):
    """Joins samples with a lambda, which forked workers would have had all the same."""

    @hookimpl
    def vtk_data(self, recipe: Any) -> Data:
        from torch.utils.data import default_collate

        return dataclasses.replace(super().vtk_data(recipe), collate=lambda samples: default_collate(samples))


@pytest.mark.parametrize(
    ("plugin", "part"), [(WithData(Holding), "train, a Holding"), (Joining(Listed), "collate, the function <lambda>")]
)
def test_what_only_forked_workers_could_fetch(plugin: Any, part: str, subject: Make) -> None:
    found = failure("determinism", subject(plugin))
    assert f"Data.{part}, cannot be pickled: " in found.found
    assert "macOS and Windows" in found.remedy


@pytest.mark.parametrize("plugin", [WithData(Counted), Joining(NoisyNumbers)], ids=["lock", "threads"])
def test_what_workers_can_have(plugin: Any, subject: Make) -> None:
    """Locks of multiprocessing go to a process that starts; threads need nothing pickled."""
    from toolkit.testing.checks.determinism import _require_picklable

    _require_picklable(subject(plugin).trained.run)


class Remembering(Good):
    """Weakens its loss with every epoch, and remembers the epoch on itself."""

    def __init__(self) -> None:
        self.epochs = 0

    @hookimpl
    def vtk_loss(self) -> Any:
        from torch.nn.functional import mse_loss

        return lambda output, batch: mse_loss(output, batch.targets) / (1 + self.epochs)

    @hookimpl
    def vtk_epoch_end(self) -> None:
        self.epochs += 1


def test_what_is_kept_on_the_plugin_is_lost_when_a_run_is_resumed(subject: Make) -> None:
    found = failure("resume", subject(Remembering(), "train.epochs=4"))
    assert "ends elsewhere than one that was left alone: weights.0.weight" in found.found
    assert "run.state[name]" in found.remedy


class Counting(Good):
    """Loses a count in run.state and keeps a stopwatch there."""

    @hookimpl
    def vtk_stage_start(self, run: Any) -> None:
        run.state["good"] = {"epochs": 0, "clock": random.SystemRandom().random()}

    @hookimpl
    def vtk_epoch_end(self, run: Any) -> None:
        run.state["good"]["epochs"] += 1


class Stopwatch(Good):
    @hookimpl
    def vtk_stage_start(self, run: Any) -> None:
        run.plugin_state("good")["clock"] = random.SystemRandom().random()


def test_state_that_is_begun_anew_on_resuming(subject: Make) -> None:
    assert "run.state.good.epochs" in failure("resume", subject(Counting())).found


def test_state_that_differs_between_undisturbed_runs_may_differ(subject: Make) -> None:
    TASK_CHECKS["resume"](subject(Stopwatch()))


def test_a_run_too_short_to_be_interrupted(subject: Make) -> None:
    assert "takes 1 optimizer steps" in failure("resume", subject(Good(), "train.epochs=1", "data.count=8")).found


class Wide(Good):
    """Takes the width of its model from the data sets, which a bundle does not have."""

    @hookimpl
    def vtk_model(self, data: Data) -> Any:
        from torch import nn

        return nn.Linear(data.train.x.shape[1], 1)


class Forgetful(Good):
    """Lets chance of another process decide what the model answers."""

    @hookimpl
    def vtk_inference(self, model: Any) -> Any:
        from torch import nn

        class Noisy(nn.Module):
            def forward(self, x: Any) -> Any:
                return model(x) + random.SystemRandom().random()

        return Noisy()


def test_a_model_that_cannot_be_built_from_a_bundle(subject: Make) -> None:
    found = failure("bundle", subject(Wide()))
    assert "the bundle does not open: AttributeError" in found.found
    assert "from recipe and data.meta alone" in found.remedy


def test_a_bundle_that_answers_otherwise(subject: Make) -> None:
    assert "`vtk eval` finds" in failure("bundle", subject(Forgetful())).found


class Scaled(Good):
    def answer(self, bundle: Any, numbers: Any) -> float:
        return super().answer(bundle, numbers * 2)


class Trusting(Good):
    @hookimpl
    def vtk_predict(self, bundle: Any, inputs: Any) -> list[dict[str, Any]]:
        import torch

        numbers = [[float(word) for word in path.read_text().split()] for path in inputs]
        return [
            {"file": str(path), "value": v.item()}
            for path, v in zip(inputs, bundle.network(torch.tensor(numbers)), strict=True)
        ]


class Tensors(Good):
    def answer(self, bundle: Any, numbers: Any) -> Any:
        return bundle.network(numbers)


def test_predictions_of_other_inputs_than_those_of_evaluation(subject: Make) -> None:
    assert re.search(
        r"for 0.txt the network says other than in evaluation, by", failure("predict", subject(Scaled())).found
    )


def test_a_bad_file_that_raises_a_bare_exception(subject: Make) -> None:
    found = failure("predict", subject(Trusting()))
    assert "a bad file raises ValueError" in found.found
    assert "raise VtkError" in found.remedy


def test_records_that_are_no_json(subject: Make) -> None:
    found = failure("predict", subject(Tensors()))
    assert "returned a record with a Tensor of shape (1, 1) as 'value', which JSON cannot say" in found.found
    assert ".item()" in found.remedy


class Undrawn(Good):
    @hookimpl
    def vtk_predict(self, bundle: Any, inputs: Any, drawings: Any) -> list[dict[str, Any]]:
        return super().vtk_predict(bundle, inputs)


def test_drawings_that_are_taken_and_not_made(subject: Make) -> None:
    found = failure("predict", subject(Undrawn()))
    assert re.search(r"with --draw .*0\.txt: was not drawn: vtk_predict of the task 'good'", found.found)
    assert "write a PNG to each path in `drawings`" in found.remedy


class Lossy(Good):
    @hookimpl
    def vtk_loss(self) -> Any:
        return lambda output, batch: ((output - batch.targets) ** 2).mean().item()


def test_a_wrong_answer_is_told_as_the_users_of_the_plugin_read_it(subject: Make) -> None:
    says = "the function from vtk_loss of the task 'good' (plugin-under-test 0) returned the float"
    lossy = subject(Lossy())
    for check in ("determinism", "resume", "bundle", "predict", "plan"):
        found = failure(check, lossy)
        assert says in found.found
        assert "a scalar tensor" in found.remedy


def test_what_ends_every_run_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_task(Untouched(), {**RECIPE, "task": "good"}, files=write_samples, without=["imports"])
    assert str(caught.value).count("vtk_model of the task 'good' (plugin-under-test 0) returned the class Linear") == 1


class Untouched(Good):
    @hookimpl
    def vtk_model(self) -> Any:
        from torch import nn

        return nn.Linear


def test_an_extension_that_is_installed_and_hidden(subject: Make, tmp_path: Path) -> None:
    """A recipe that names the author's second extension is no misspelt one; leaving it out needs no listing."""
    site = Site(tmp_path / "site")
    site.folder.mkdir()
    module = "class Log: ...\nplugin = Log()\n"
    site.install("vtk-good", extensions={"csv-log": "csv_log:plugin"}, modules={"csv_log": module})
    with site.active():
        with pytest.raises(VtkError) as caught:
            subject(Good(), "extensions.csv-log=true").resolve()
        assert "the extension 'csv-log' is installed, but hidden while a test runs" in str(caught.value)
        assert 'beside=[entry_of("csv-log", "extension")]' in str(caught.value)
        subject(Good(), "extensions.csv-log=true", beside=[entry_of("csv-log", "extension")]).resolve()
        TASK_CHECKS["schema"](subject(Good(), "extensions.csv-log=false"))


def test_predicting_needs_files_to_compare_with(tmp_path: Path) -> None:
    assert "pass files=" in failure("predict", Subject(Good(), RECIPE, folder=tmp_path)).remedy


def test_a_task_that_predicts_nothing(tmp_path: Path) -> None:
    from toolkit.testing.numbers import Numbers

    with pytest.raises(NotApplicable, match="no vtk_predict"):
        TASK_CHECKS["predict"](Subject(Numbers(), {**RECIPE, "task": "numbers"}, folder=tmp_path))


class FileRecipe(NumbersRecipe):
    file: Path = Field(Path("numbers.csv"), description="The numbers.")


class Reading(Good):
    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        return FileRecipe

    @hookimpl
    def vtk_data(self, recipe: Any) -> Data:
        recipe.file.read_text()
        return super().vtk_data(recipe)


class Careful(Reading):
    @hookimpl
    def vtk_data(self, recipe: Any) -> Data:
        if not recipe.file.exists():
            raise VtkError("there are no numbers", place=str(recipe.file))
        return super().vtk_data(recipe)


class Blind(Reading):
    @hookimpl
    def vtk_data(self, recipe: Any) -> Data:
        return Good.vtk_data(self, recipe)


def test_files_that_are_not_there(subject: Make, tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.csv"
    numbers.touch()
    setting = f"file={numbers}"
    assert "users see a traceback of FileNotFoundError" in failure("errors", subject(Reading(), setting)).found
    assert "there is no error" in failure("errors", subject(Blind(), setting)).found
    TASK_CHECKS["errors"](subject(Careful(), setting))
    assert "there is no error" in failure("errors", subject(Blind(), missing=["file=nowhere"])).found


class Writing(Good):
    @hookimpl
    def vtk_data(self, recipe: Any, run: Any) -> Data:
        Path("cache.json").write_text("{}")
        return super().vtk_data(recipe)


class Needy(Good):
    @hookimpl
    def vtk_data(self, recipe: Any, run: Any) -> Data:
        if run.directory is None:
            raise VtkError("nowhere to write to")
        return super().vtk_data(recipe)


def test_a_check_of_a_recipe_that_writes_or_wants_to(
    subject: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "wrote cache.json" in failure("plan", subject(Writing())).found
    assert "`vtk check` fails where `vtk run` works: nowhere to write to" in failure("plan", subject(Needy())).found


def test_imports_of_heavy_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heavy_numbers.py").write_text("import torch\nfrom toolkit.testing.numbers import plugin\n")
    monkeypatch.syspath_prepend(tmp_path)
    recipe = {**RECIPE, "task": "heavy"}
    heavy = Subject("heavy_numbers:plugin", recipe, folder=tmp_path, name="heavy")
    found = failure("imports", heavy)
    assert "reading a recipe's schema imports torch" in found.found
    assert "at the top of heavy_numbers" in found.remedy
    TASK_CHECKS["imports"](Subject("toolkit.testing.numbers:plugin", RECIPE, folder=tmp_path))


def test_imports_of_a_module_that_is_not_there(tmp_path: Path) -> None:
    broken = Subject("no_such_module:plugin", RECIPE, folder=tmp_path)
    assert "No module named 'no_such_module'" in failure("imports", broken).found


def test_the_whole_suite_tells_every_failure_and_what_it_left_out() -> None:
    report = check_task(Good(), RECIPE, files=write_samples, without=["determinism", "resume", "errors", "plan"])
    assert report.passed == ["hooks", "schema", "bundle", "report", "predict"]
    assert report.left_out["determinism"] == "by request"
    assert "no module holds" in report.left_out["imports"]
    with pytest.raises(ConformanceError) as caught:
        check_task(Scaled(), RECIPE, without=["determinism", "resume", "plan"], missing=["data.count=3"])
    assert "2 checks failed" in str(caught.value)
    assert caught.value.check == "errors, predict"
    with pytest.raises(ConformanceError, match="hooks: ") as first:
        check_task(Misspelt(), RECIPE)
    assert first.value.check == "hooks"


def test_a_check_that_does_not_exist_cannot_be_left_out() -> None:
    with pytest.raises(ValueError, match="no check is called determinsm"):
        check_task(Good(), RECIPE, without=["determinsm"])


def test_the_recipe_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(json.dumps(RECIPE))
    report = check_task(Good(), file, without=[name for name in TASK_CHECKS if name not in ("hooks", "schema")])
    assert report.passed == ["hooks", "schema"]
