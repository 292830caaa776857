"""Images and splits of a run that change while it is interrupted, or before it is evaluated."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.load import load_recipe
from toolkit.run.evaluate_run import Evaluation, reevaluate
from toolkit.run.runner import Outcome, execute
from toolkit.run.status import read_status
from toolkit.types import stamps

RECIPE = """
task: classification
data: {source: {name: folder, root: photos}, split: {val: 0.25}, image_size: 8, augment: none, cache: "off"}
model: {name: cnn, channels: [4]}
train: {epochs: 1, batch_size: 8, precision: fp32}
loader: {workers: 0}
extensions: {tensorboard: false, progress: false}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, level in (("ant", 60), ("bee", 190)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(8):
            pixels = rng.normal(level, 30, (8, 8, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    (tmp_path / "r.yaml").write_text(RECIPE)
    return tmp_path


def run(**kwargs: Any) -> Outcome:
    return execute(load_recipe("r.yaml"), console=Console(file=io.StringIO()), out=Path("run"), **kwargs)


def evaluate() -> Evaluation:
    from contextlib import nullcontext

    return reevaluate(Path("run"), console=Console(file=io.StringIO()), display=lambda _: nullcontext())


def replace(here: Path, number: int, keep_times: bool = False) -> Path:
    path, other = here / "photos" / "ant" / f"{number}.png", here / "photos" / "bee" / f"{number}.png"
    times = path.stat()
    path.write_bytes(other.read_bytes())
    if keep_times:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return path


def test_replaced_images_are_named_refused_and_can_be_accepted(here: Path) -> None:
    run()
    for number in (1, 2, 3):
        replace(here, number, keep_times=True)
    with pytest.raises(VtkError) as refused:
        run(resume=True)
    assert refused.value.code == ExitCode.DATA
    for number in (1, 2, 3):
        assert f"ant/{number}.png" in refused.value.message
    assert "ant/4.png" not in refused.value.message
    run(resume=True, accept=["samples"])
    assert [one["key"] for one in read_status(here / "run")["accepted"]] == ["samples"] * 3
    run(resume=True)  # from now on these are the run's images


def test_images_that_were_only_copied_are_the_same(here: Path) -> None:
    run()
    for path in (here / "photos").rglob("*.png"):
        os.utime(path, (1, 1))
    assert run(resume=True).epochs == 1


def test_many_images_are_told_apart_by_size_and_time(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "_CHEAP_FILES", 10)
    reads: list[Path] = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path) or read(path))
    run()
    assert not [path for path in reads if path.suffix == ".png"]
    os.utime(here / "photos" / "bee" / "2.png", (1, 1))
    with pytest.raises(VtkError, match=r"bee/2\.png"):
        run(resume=True)


def test_a_split_with_train_and_val_swapped_is_neither_trained_nor_evaluated(here: Path) -> None:
    run()
    path = here / "run" / "split.json"
    split = json.loads(path.read_text())
    for key in ("samples", "labels"):
        split[key]["train"], split[key]["val"] = split[key]["val"], split[key]["train"]
    path.write_text(json.dumps(split, indent=1))
    with pytest.raises(VtkError, match=r"split\.json") as refused:
        run(resume=True)
    assert refused.value.code == ExitCode.DATA
    with pytest.raises(VtkError, match=r"split\.json") as refused:
        evaluate()
    assert refused.value.code == ExitCode.DATA


def test_a_run_is_evaluated_by_the_recipe_that_its_model_was_trained_with(here: Path) -> None:
    run()
    assert evaluate().result.split == "val"
    path = here / "run" / "recipe.yaml"
    path.write_text(path.read_text().replace("resize: auto", "resize: squeeze"))
    with pytest.raises(VtkError, match=r"data\.resize +auto +squeeze") as refused:
        evaluate()
    assert refused.value.code == ExitCode.DATA


def test_labels_of_a_table_that_was_edited_are_a_change(here: Path) -> None:
    rows = [f"{path.relative_to(here)},{path.parent.name}" for path in sorted((here / "photos").rglob("*.png"))]
    (here / "t.csv").write_text("\n".join(["path,label", *rows]))
    source = "{name: csv, file: t.csv}"
    (here / "r.yaml").write_text(RECIPE.replace("{name: folder, root: photos}", source))
    run()
    text = (here / "t.csv").read_text()
    (here / "t.csv").write_text(text.replace("ant/3.png,ant", "ant/3.png,bee"))
    with pytest.raises(VtkError, match=r"ant/3\.png"):
        run(resume=True)
