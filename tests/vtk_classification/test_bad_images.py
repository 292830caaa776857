"""Whole runs over images of which some cannot be read."""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from torch.nn.functional import cross_entropy

from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.load import load_text
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.run.evaluate_run import reevaluate
from toolkit.run.meters import LossMeter
from toolkit.run.runner import Outcome, execute

QUIET = "extensions: {checkpoints: false, early_stopping: false, metrics: false, progress: false, tensorboard: false}\n"
PATTERN = r"'(?P<label>cat|dog)\.\d+\.jpg'"
BAD = ("cat.1.jpg", "cat.7.jpg", "dog.4.jpg", "dog.11.jpg", "dog.12.jpg")


@pytest.fixture(scope="module")
def spoilt(kaggle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cats and dogs, five of them cut short."""
    folder = tmp_path_factory.mktemp("pictures") / "spoilt"
    shutil.copytree(kaggle, folder)
    for name in BAD:
        (folder / name).write_bytes((folder / name).read_bytes()[:300])
    return folder


def tiny(folder: Path, *sets: str) -> ResolvedRecipe:
    text = f"""
task: classification
data:
  source: {{name: pattern, root: {folder}, pattern: {PATTERN}}}
  split: {{val: 0.25, test: 0.25}}
  image_size: 24
  resize: 28
  augment: light
  on_bad_image: skip
  bad_image_limit: 0.4
model: {{name: cnn, channels: [4, 8], hidden: [16], batch_norm: true}}
train: {{epochs: 3, batch_size: 4, precision: fp32}}
optimizer: {{lr: 1e-2}}
loader: {{workers: 0}}
"""
    return load_text(text + QUIET, name="tiny", sets=sets)


def run(folder: Path, out: Path, *sets: str, **options: Any) -> tuple[Outcome, str]:
    said = io.StringIO()
    outcome = execute(tiny(folder, *sets), console=Console(file=said, width=400), out=out, **options)
    return outcome, said.getvalue()


@pytest.fixture(scope="module")
def finished(spoilt: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome, str]:
    """A run that left the bad images out: its directory, its outcome, what it said. Not to be changed."""
    out = tmp_path_factory.mktemp("finished") / "run"
    return out, *run(spoilt, out)


def weights(out: Path) -> bytes:
    return (out / "bundle" / "model.safetensors").read_bytes()


def listed(out: Path) -> dict[str, list[str]]:
    found = json.loads((out / "skipped.json").read_text())
    return {split: [Path(one["file"]).name for one in files] for split, files in found.items()}


def test_left_out_images_are_told_listed_and_in_no_figure(finished: tuple[Path, Outcome, str]) -> None:
    out, outcome, said = finished
    found = listed(out)
    assert sorted(name for names in found.values() for name in names) == sorted(BAD)
    split = json.loads((out / "split.json").read_text())["samples"]
    for part, names in found.items():
        assert set(names) <= set(split[part])
        assert said.count(f"left out of {part}: ") == len(names)
    report = json.loads((out / "report" / "report.json").read_text())
    tables = {table["name"]: table["rows"] for table in report["tables"]}
    assert [Path(row[1]).name for row in tables["skipped-images"]] == [n for names in found.values() for n in names]
    support = next(row[-1] for row in tables["classification-report"] if row[0] == "macro avg")
    assert support == len(split["test"]) - len(found.get("test", []))
    assert "were left out" in said.splitlines()[-1]
    assert outcome.steps == 3 * math.ceil(len(split["train"]) / 4)


@pytest.mark.parametrize("loader", ["{workers: 2, kind: thread}", "{workers: 2, kind: process}"])
def test_the_workers_change_nothing(
    spoilt: Path, finished: tuple[Path, Outcome, str], tmp_path: Path, loader: str
) -> None:
    out, outcome, _ = finished
    other, _ = run(spoilt, tmp_path / "other", f"loader={loader}")
    assert weights(out) == weights(tmp_path / "other")
    assert outcome.metrics == other.metrics
    assert listed(out) == listed(tmp_path / "other")


class Stop(Exception):
    """Ends a run in the middle."""


def interrupted_at(steps: int) -> Callable[..., None]:
    """In place of ``LossMeter.add``: the run ends after so many steps."""
    add = LossMeter.add

    def counted(self: LossMeter, step: int, *args: Any) -> None:
        add(self, step, *args)
        if step >= steps:
            raise Stop

    return counted


def test_a_resumed_run_skips_the_same(spoilt: Path, tmp_path: Path) -> None:
    steady = run(spoilt, tmp_path / "steady", "train.batch_size=2")[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LossMeter, "add", interrupted_at(14))
        with pytest.raises(Stop):
            run(spoilt, tmp_path / "cut", "train.batch_size=2", "extensions.checkpoints={minutes: 1.0e-6}")
    resumed, _ = run(
        spoilt, tmp_path / "cut", "train.batch_size=2", "extensions.checkpoints={minutes: 1.0e-6}", resume=True
    )
    assert weights(tmp_path / "steady") == weights(tmp_path / "cut")
    assert (resumed.steps, resumed.metrics) == (steady.steps, steady.metrics)
    assert listed(tmp_path / "steady") == listed(tmp_path / "cut")


VANISHED = ("cat.3.jpg", "dog.8.jpg", "cat.15.jpg", "dog.16.jpg")


@pytest.mark.parametrize("table", [False, True])
def test_files_that_vanish_before_a_resume_are_left_out(spoilt: Path, tmp_path: Path, table: bool) -> None:
    """As where they vanished without a stop: the same batches, limits, listing, and weights to the bit."""
    sets = ["train.batch_size=2", "extensions.checkpoints={minutes: 1.0e-6}", "data.sampler=weighted", "data.cache=off"]
    for name in ("steady", "cut"):
        folder = tmp_path / name / "pictures"
        shutil.copytree(spoilt, folder)
        lines = [f"{path.name},{path.name[:3]}" for path in sorted(folder.glob("*.jpg"))]
        (folder / "table.csv").write_text("\n".join(["path,label", *lines]))

    def run_in(name: str, ends: bool, **options: Any) -> Outcome:
        folder = tmp_path / name / "pictures"
        source = [f"data.source={{name: csv, file: {folder}/table.csv}}"] if table else []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LossMeter, "add", vanishing_at(14, folder, ends))
            return run(folder, tmp_path / name / "run", *sets, *source, **options)[0]

    steady = run_in("steady", ends=False)
    with pytest.raises(Stop):
        run_in("cut", ends=True)
    resumed = run_in("cut", ends=False, resume=True)
    assert weights(tmp_path / "steady" / "run") == weights(tmp_path / "cut" / "run")
    assert resumed.metrics == steady.metrics
    found, expected = (listed(tmp_path / name / "run") for name in ("cut", "steady"))
    assert {part: set(names) for part, names in found.items()} == {part: set(n) for part, n in expected.items()}
    left_out = {name for names in found.values() for name in names}
    assert left_out & set(VANISHED)


def vanishing_at(steps: int, folder: Path, ends: bool) -> Callable[..., None]:
    """In place of ``LossMeter.add``: after so many steps files vanish, and the run ends if it shall."""
    add = LossMeter.add

    def counted(self: LossMeter, step: int, *args: Any) -> None:
        add(self, step, *args)
        if step >= steps and (folder / VANISHED[0]).exists():
            for name in VANISHED:
                (folder / name).unlink()
            if ends:
                raise Stop

    return counted


def test_too_many_that_vanished_are_refused(spoilt: Path, tmp_path: Path) -> None:
    shutil.copytree(spoilt, tmp_path / "pictures")
    checkpoints = "extensions.checkpoints={minutes: 1.0e-6}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LossMeter, "add", interrupted_at(9))
        with pytest.raises(Stop):
            run(tmp_path / "pictures", tmp_path / "run", checkpoints)
    for path in sorted((tmp_path / "pictures").glob("*.jpg"))[::2]:
        path.unlink()
    with pytest.raises(VtkError, match=r"samples of the .* split are not there any more") as caught:
        run(tmp_path / "pictures", tmp_path / "run", checkpoints, resume=True)
    assert "data.bad_image_limit" in str(caught.value.hint)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_step_without_any_image_is_passed_over(spoilt: Path, tmp_path: Path, accumulate: int) -> None:
    """With one image a batch a bad one leaves its step empty; the schedule and the count of steps go on."""
    outcome, _ = run(
        spoilt,
        tmp_path / "run",
        "train.batch_size=1",
        "train.eval_batch_size=1",
        f"train.accumulate={accumulate}",
        "schedule={name: onecycle}",
        "extensions.metrics={steps: true}",
    )
    split = json.loads((tmp_path / "run" / "split.json").read_text())["samples"]
    left_out = len(listed(tmp_path / "run")["train"])
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "steps.jsonl").read_text().splitlines()]
    assert outcome.steps == 3 * math.ceil(len(split["train"]) / accumulate)
    if accumulate == 1:
        assert len(steps) == outcome.steps - 3 * left_out
    assert all(math.isfinite(value) for value in outcome.metrics.values())


def test_losses_are_means_over_what_was_there(finished: tuple[Path, Outcome, str], tmp_path: Path) -> None:
    """Those who can read the images that are left by other means get the same figures."""
    shutil.copytree(finished[0], tmp_path / "run")
    quiet = Console(file=io.StringIO())
    part = next(name for name in ("val", "test") if listed(tmp_path / "run").get(name))
    found = reevaluate(tmp_path / "run", console=quiet, display=lambda _run: shown(), split=part).result
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    bad = {name for names in listed(tmp_path / "run").values() for name in names}
    pairs = zip(split["samples"][part], split["labels"][part], strict=True)
    there = [(name, label) for name, label in pairs if name not in bad]
    assert len(there) < len(split["samples"][part])
    assert found.targets.tolist() == [label for _, label in there]
    assert found.metrics["loss"] == pytest.approx(cross_entropy(found.outputs.double(), found.targets).item(), abs=1e-5)
    right = [int(row.argmax()) == label for row, (_, label) in zip(found.outputs, there, strict=True)]
    assert found.metrics["accuracy"] == pytest.approx(sum(right) / len(right))


def shown() -> Any:
    from contextlib import nullcontext

    return nullcontext()


def test_more_than_the_limit_stops_the_run_with_the_list(spoilt: Path, tmp_path: Path) -> None:
    with pytest.raises(VtkError, match=r"2 of the 2\d images of train cannot be read; .*allows 1") as caught:
        run(spoilt, tmp_path / "run", "data.bad_image_limit=0.01")
    assert caught.value.code == ExitCode.DATA
    assert caught.value.place == str(tmp_path / "run" / "skipped.json")
    assert "data.bad_image_limit" in str(caught.value.hint)
    named = listed(tmp_path / "run")["train"]
    assert len(named) >= 2
    assert all(name in str(caught.value) for name in named)
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "failed"


def test_without_leave_the_first_one_stops_the_run(spoilt: Path, tmp_path: Path) -> None:
    with pytest.raises(VtkError, match="truncated") as caught:
        run(spoilt, tmp_path / "run", "data.on_bad_image=error")
    assert Path(str(caught.value.place)).name in BAD
    assert "data.on_bad_image: skip" in str(caught.value.hint)
    assert caught.value.code == ExitCode.DATA


def test_an_evaluation_judges_what_can_be_read(spoilt: Path, kaggle: Path, tmp_path: Path) -> None:
    """Whatever the run's own policy was; aloud, within its limit, and without touching the run's list."""
    execute(tiny(kaggle, "data.on_bad_image=error"), console=Console(file=io.StringIO()), out=tmp_path / "run")
    said = io.StringIO()
    options: Any = {"console": Console(file=said, width=400), "display": lambda _run: shown()}
    found = reevaluate(tmp_path / "run", flags=[("--images", str(spoilt))], **options)
    assert len(found.result.outputs) == 40 - len(BAD)
    assert said.getvalue().count("left out of test: ") == len(BAD)
    assert f"were left out: {len(BAD)} of test" in said.getvalue()
    assert not (tmp_path / "run" / "skipped.json").exists()


# torch raises in a signal handler, which now and then runs where Python can only print what is raised.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("sampler", ["none", "weighted"])
def test_a_killed_worker_ends_the_run_and_names_its_files(kaggle: Path, tmp_path: Path, sampler: str) -> None:
    """Whatever the main process was at when the system told it: here in the middle of a step."""
    from toolkit.run import loop

    runs: list[Any] = []
    enter, add = loop.enter_stage, LossMeter.add

    def remembered(run: Any, stage: Any) -> None:
        runs.append(run)
        enter(run, stage)

    def deadly(self: LossMeter, step: int, *args: Any) -> None:
        add(self, step, *args)
        if step == 3:
            os.kill(runs[0].loader._workers._loader._iterator._workers[1].pid, signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "enter_stage", remembered)
        patch.setattr(LossMeter, "add", deadly)
        sets = ["loader={workers: 2, kind: process}", f"data.sampler={sampler}", "train.epochs=500"]
        with pytest.raises(VtkError, match="a loader process died") as caught:
            run(kaggle, tmp_path / "run", *sets)
    assert caught.value.code == ExitCode.UNAVAILABLE
    assert f"it was at, or close to: {kaggle}/" in caught.value.message
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert status["status"] == "failed"
    assert "a loader process died" in status["reason"]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_batch_with_a_single_readable_image_waits_where_batch_norm_could_not_learn_from_it(
    spoilt: Path, tmp_path: Path, accumulate: int
) -> None:
    small = "model={name: backbone, arch: 'torchvision:shufflenet_v2_x0_5', pretrained: false}"  # to 1 x 1 pixels
    sets = (small, "train.batch_size=2", f"train.accumulate={accumulate}", "train.epochs=1", "data.augment=none")
    outcome, said = run(spoilt, tmp_path / "run", *sets, "data.image_size=32", "data.resize=36")
    assert outcome.steps > 0
    assert said.count("batch norm cannot learn from it") == 1
    assert listed(tmp_path / "run")["train"]
