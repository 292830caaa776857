"""The plugin author's guide: complete, exact, and its examples really run."""

from __future__ import annotations

import importlib.util
import inspect
import io
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from plugin_site import Site

import toolkit
import toolkit.testing
from toolkit.errors import ExitCode
from toolkit.hooks import specs
from toolkit.hooks.lint import hook_names

GUIDE = Path(__file__).parents[1] / "plugins" / "README.md"
TEXT = GUIDE.read_text(encoding="utf-8")
HEADINGS = re.findall(r"^### `(.+)`$", TEXT, re.MULTILINE)
FILES = dict(re.findall(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))


STAGED = """
from pydantic import Field

from toolkit import StageSection, hookimpl
from vtk_dots.learning import DrawnDots
from vtk_dots.plugin import DotsRecipe as Recipe, DotsTask as Task

seen = []


def sets_of(recipe, size):
    seen.append(size)
    return [DrawnDots(16, size, recipe.data.most, (recipe.seed, part)) for part in (0, 1)]


CODE

class Staged(DotsTask, Task):
    @hookimpl
    def vtk_config(self):
        return DotsRecipe


plugin = Staged()
"""


def signature(hook: str) -> str:
    """The hook as its specification has it; annotations are text there, which quotes them."""
    return hook + str(inspect.signature(getattr(specs, hook))).replace("'", "")


def test_every_hook_has_a_heading_with_its_signature_in_the_order_of_the_specifications():
    assert [signature(hook) for hook in hook_names()] == HEADINGS


def test_every_hook_that_is_named_exists():
    named = {
        name
        for name in re.findall(r"\bvtk_\w+", TEXT)
        if not name.startswith(("vtk_dots", "vtk_time_budget", "vtk_classification"))
    }
    assert named == set(hook_names())


@pytest.mark.parametrize("hook", hook_names())
def test_each_hook_says_how_its_answers_are_taken_and_what_none_means(hook: str):
    body = TEXT.split(f"### `{signature(hook)}`\n")[1].split("\n#")[0]
    first_result = specs.__dict__[hook].vtk_spec["firstresult"]
    assert body.strip().startswith("One answer" if first_result else "All answers")
    returns_nothing = inspect.signature(getattr(specs, hook)).return_annotation == "None"
    assert ("What it returns is ignored." in body) if returns_nothing else ("**None" in body)


@pytest.mark.parametrize("name", toolkit.__all__)
def test_every_public_name_is_in_the_list_of_names(name: str):
    listed = TEXT.split("## Every public name")[1].split("\n## ")[0]
    assert f"`{name}`" in listed


def test_no_other_name_is_listed_or_imported():
    listed = TEXT.split("## Every public name")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.+?) \|", listed, re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    imported = {
        name for line in re.findall(r"^from toolkit import (.+)$", TEXT, re.MULTILINE) for name in line.split(", ")
    }
    assert names == set(toolkit.__all__)
    assert imported <= names
    assert set(re.findall(r"from (toolkit\.\S+) import", TEXT)) == {"toolkit.cli", "toolkit.testing"}


@pytest.mark.parametrize("name", toolkit.testing.__all__)
def test_every_name_for_tests_is_explained(name: str):
    section = TEXT.split("## Test it")[1].split("\n## ")[0]
    assert re.search(rf"\b{name}\b", section)


def test_every_check_is_explained():
    rows = re.findall(r"^\| `(\w+)` \|", TEXT.split("## Test it")[1].split("\n## ")[0], re.MULTILINE)
    assert rows == list(toolkit.testing.TASK_CHECKS)


def test_every_exit_code_is_listed_with_its_number():
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", TEXT, re.MULTILINE)
    assert rows == [(code.name, str(int(code))) for code in ExitCode]


def test_every_attribute_of_the_run_that_is_listed_exists():
    table = TEXT.split("## The run")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.+?) \| ", table, re.MULTILINE)
    names = {name for cell in cells for name in re.findall(r"`(\w+)[`(\[]", cell)}
    known = set(toolkit.Run.__dataclass_fields__) | set(dir(toolkit.Run))
    assert len(names) > 15
    assert names <= known


def test_every_part_of_the_data_is_listed():
    table = TEXT.split("## Data, `meta` and `restored`")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.+?) \| ", table, re.MULTILINE)
    names = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert names == set(toolkit.Data.__dataclass_fields__) | {"thread_safe", "in_memory"}


def test_links_within_the_guide_lead_somewhere():
    anchors = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#(.+?)\)", TEXT)) <= anchors
    for path in re.findall(r"\]\(([^#)]+)\)", TEXT):
        assert (GUIDE.parent / path).exists()


def build(root: Path) -> Path:
    """The guide's files as a checkout, with the metadata that installing it would write."""
    (root / "vtk_dots").mkdir()
    (root / "tests").mkdir()
    (root / "vtk_dots" / "__init__.py").touch()
    for name, text in FILES.items():
        (root / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    extension = tomllib.loads(re.findall(r'```toml\n(\[project\.entry-points\."vtk\.ext.*?)```', TEXT, re.DOTALL)[0])
    site = Site(root)
    site.install(project["name"], tasks=project["entry-points"]["vtk.tasks"], version=project["version"])
    site.install("vtk-time-budget", extensions=extension["project"]["entry-points"]["vtk.extensions"])
    return root


@pytest.fixture
def console() -> Any:
    from rich.console import Console

    return Console(file=io.StringIO(), width=100)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both examples, installed for processes that start from here on."""
    root = tmp_path / "vtk-dots"
    root.mkdir()
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return build(root)


def own_test(checkout: Path, name: str) -> Any:
    """One of the example's own test files, imported."""
    spec = importlib.util.spec_from_file_location(f"dots_{name}", checkout / "tests" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    own = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(own)
    return own


def test_the_example_task_keeps_its_promises(checkout: Path):
    with Site(checkout).active():
        own_test(checkout, "test_promises").test_the_task_keeps_its_promises()


def test_the_example_task_trains_is_evaluated_and_predicts(checkout: Path, tmp_path: Path):
    own_test(checkout, "test_dots").test_an_epoch_learns_and_the_bundle_predicts(tmp_path)
    run = tmp_path / "run"
    assert json.loads((run / "status.json").read_text())["status"] == "finished"
    assert json.loads((run / "bundle" / "bundle.json").read_text())["meta"] == {"size": 32}
    assert "Mean error by number of dots" in (run / "report" / "index.html").read_text()


def test_the_example_extension_ends_the_run(checkout: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    from toolkit.cli import main

    run = tmp_path / "run"
    values = ("extensions.time_budget.minutes=0.00001", "extensions.tensorboard=false", "data.count=32")
    sets = [word for value in values for word in ("--set", value)]
    with Site(checkout).active():
        assert main(["run", str(checkout / "dots.yaml"), "--out", str(run), *sets]) == 0
    status = json.loads((run / "status.json").read_text())
    assert status["stop_reason"] == "time budget: 1e-05 minutes are over"
    history = (run / "metrics.jsonl").read_text()
    assert '"epoch": 1' in history
    assert '"epoch": 2' not in history


def test_the_folder_of_pictures_is_read_as_the_guide_says(checkout: Path, tmp_path: Path):
    import numpy as np
    from PIL import Image

    from toolkit import SampleIndex, VtkError

    for number in range(20):
        Image.new("RGB", (60, 40), (10 * number, 0, 255)).save(tmp_path / f"{number}.png")
    spec = importlib.util.spec_from_file_location("dots_pictures", checkout / "vtk_dots" / "pictures.py")
    assert spec is not None
    assert spec.loader is not None
    pictures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pictures)
    train, held_out = pictures.split(tmp_path, seed=1)
    assert (len(train), len(held_out)) == (18, 2)
    assert {*train, *held_out} == set(tmp_path.glob("*.png"))
    found = pictures.NoisyPictures(train, 16, 0.1)[SampleIndex(3, seed=5)]
    assert found.inputs.shape == found.targets.shape == (3, 16, 16)
    assert found.targets[2].min() == 1.0
    noise = SampleIndex(3, seed=5).rng().normal(0, 0.1, (3, 16, 16))
    np.testing.assert_allclose(found.inputs - found.targets, noise, atol=1e-6)
    with pytest.raises(VtkError, match="too few"):
        pictures.split(tmp_path, seed=1, share=0.01)


def test_the_stages_of_the_guide_train_at_their_sizes(checkout: Path, console: Any):
    """The guide's excerpt, put together with the task that it is an excerpt of."""
    from toolkit.recipe.load import load_text
    from toolkit.run.loop import fit
    from toolkit.run.setup import prepare
    from toolkit.testing import entry_of, only

    section = TEXT.split("## Stages, epochs and steps")[1].split("\n## ")[0]
    recipe = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)[0]
    code = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    (checkout / "vtk_dots" / "staged.py").write_text(STAGED.replace("CODE", code))
    text = "task: dots\nextensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}\n"
    with Site(checkout).active(), only(entry_of("vtk_dots.staged:plugin", "task", "dots")):
        from vtk_dots import staged

        run = prepare(load_text(text + recipe, name="dots"), console=console)
        fit(run)
    assert staged.seen == [32, 48]
    assert run.epoch == 4
    assert run.data.train[0][0].shape[-1] == 48
    assert run.optimizer.param_groups[0]["lr"] == 1e-4
