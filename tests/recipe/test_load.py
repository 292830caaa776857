from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from plugin_site import GOOD_TASK, Site
from sample_task import CounterOptions, SampleRecipe

from toolkit.errors import ExitCode, VtkError
from toolkit.optim.optimizer_sections import SGD, Adam
from toolkit.recipe.load import Reading, load_recipe, load_text
from toolkit.recipe.problems import RecipeError
from toolkit.recipe.resolved import ResolvedRecipe

Load = Callable[..., ResolvedRecipe]
Write = Callable[[str, str], Path]
Problems = Callable[..., list[str]]

pytestmark = pytest.mark.usefixtures("sample_site")


def refusal(source: str | Path, **options: object) -> VtkError:
    with pytest.raises(VtkError) as caught:
        load_recipe(source, **options)  # type: ignore[arg-type]
    return caught.value


def test_a_base_whose_name_no_file_can_have(write: Callable[[str, str], Path], sample_site: object) -> None:
    write("a.yaml", f"extends: {'x' * 300}\n")
    with pytest.raises(RecipeError, match=r"a.yaml:1:10: extends: x{99}…: File name too long"):
        load_recipe("a.yaml")


def test_the_recipe_is_of_the_tasks_own_type(load: Load) -> None:
    resolved = load("train: {epochs: 3, batch_size: 8}\nmodel: {width: 64}")
    assert isinstance(resolved.recipe, SampleRecipe)
    assert (resolved.recipe.train.epochs, resolved.recipe.model.width) == (3, 64)
    assert (resolved.task.entry.name, resolved.task.entry.distribution) == ("sample", "sample")


def test_the_name_is_the_files_stem_by_default(write: Write) -> None:
    write("deep/my-job.yaml", "task: sample\n")
    assert load_recipe("deep/my-job.yaml").recipe.name == "my-job"
    write("other.yaml", "task: sample\nname: chosen\n")
    assert load_recipe("other.yaml").recipe.name == "chosen"


def test_a_section_without_a_name_is_the_default_one(load: Load) -> None:
    resolved = load("optimizer: {lr: 0.5}\ndata: {path: x}")
    assert resolved.recipe.optimizer == Adam(lr=0.5)
    assert resolved.origins["optimizer.name"] == "default"


def test_every_value_has_an_origin(load: Load) -> None:
    resolved = load("seed: 3\ntrain:\n  epochs: 4\ndata: {classes: [a, b]}\nstages:\n- epochs: 2\n")
    origins = resolved.origins
    assert origins["task"] == "a.yaml:1:7"
    assert origins["seed"] == "a.yaml:2:7"
    assert origins["train.epochs"] == "a.yaml:4:11"
    assert origins["train.batch_size"] == "default"
    assert origins["data.classes"] == "a.yaml:5:17"
    assert origins["stages.0.epochs"] == "a.yaml:7:11"
    assert origins["stages.0.freeze"] == "default"
    assert origins["name"] == "default"


class TestExtends:
    def test_layers_merge(self, write: Write) -> None:
        write("base.yaml", "task: sample\nseed: 1\ntrain: {epochs: 5, batch_size: 4}\n")
        write("a.yaml", "extends: base.yaml\ntrain: {epochs: 6}\n")
        resolved = load_recipe("a.yaml")
        train = resolved.recipe.train
        assert (resolved.recipe.seed, train.epochs, train.batch_size) == (1, 6, 4)
        assert resolved.origins["train.epochs"] == "a.yaml:2:17"
        assert resolved.origins["train.batch_size"] == "base.yaml:3:32"

    def test_a_chain_counts_paths_from_each_file(self, write: Write) -> None:
        write("one/two/base.yaml", "task: sample\nseed: 9\n")
        write("one/middle.yaml", "extends: two/base.yaml\n")
        write("a.yaml", "extends: one/middle.yaml\n")
        assert load_recipe("a.yaml").recipe.seed == 9

    def test_the_task_may_change_on_the_way(self, write: Write) -> None:
        write("base.yaml", "task: nothing\nseed: 9\n")
        write("a.yaml", "extends: base.yaml\ntask: sample\n")
        assert load_recipe("a.yaml").recipe.seed == 9

    def test_another_name_replaces_the_section(self, write: Write) -> None:
        write("base.yaml", "task: sample\noptimizer: {name: adam, beta1: 0.5}\n")
        write("a.yaml", "extends: base.yaml\noptimizer: {name: sgd}\n")
        assert load_recipe("a.yaml").recipe.optimizer == SGD()

    def test_the_default_name_is_not_another_name(self, write: Write) -> None:
        write("base.yaml", "task: sample\noptimizer: {beta1: 0.5}\n")
        write("a.yaml", "extends: base.yaml\noptimizer: {name: adam, lr: 1.0}\n")
        assert load_recipe("a.yaml").recipe.optimizer == Adam(lr=1.0, beta1=0.5)

    def test_a_fault_in_the_base_is_placed_in_the_base(self, write: Write) -> None:
        write("base.yaml", "task: sample\ntrain: {epoch: 5}\n")
        write("a.yaml", "extends: base.yaml\nseed: x\n")
        text = str(refusal("a.yaml"))
        assert "a.yaml:2:7: seed: wants a whole number" in text
        assert "base.yaml:2:9: train.epoch: unknown key" in text

    @pytest.mark.parametrize(("first", "second"), [("a.yaml", ""), ("b.yaml", "a.yaml")])
    def test_circles(self, write: Write, first: str, second: str) -> None:
        write("a.yaml", f"extends: {first}\ntask: sample\n")
        write("b.yaml", f"extends: {second}\n")
        assert "extend each other in a circle: a.yaml → " in str(refusal("a.yaml"))

    def test_a_circle_through_a_link(self, write: Write, folder: Path) -> None:
        write("a.yaml", "extends: b.yaml\ntask: sample\n")
        (folder / "b.yaml").symlink_to("a.yaml")
        assert "circle" in str(refusal("a.yaml"))

    def test_a_long_chain_is_refused(self, write: Write) -> None:
        for number in range(40):
            write(f"r{number}.yaml", f"extends: r{number + 1}.yaml\ntask: sample\n")
        assert "more than 16" in str(refusal("r0.yaml"))

    def test_a_missing_base_is_placed_at_the_key(self, write: Write) -> None:
        write("a.yaml", "task: sample\nextends: bas.yaml\n")
        write("base.yaml", "task: sample\n")
        error = refusal("a.yaml")
        assert str(error).startswith("a.yaml:2:10: extends: bas.yaml: there is no such recipe file")
        assert "did you mean 'base.yaml'?" in str(error)
        assert error.code == ExitCode.NO_INPUT

    @pytest.mark.parametrize("value", ["[a, b]", "3", "{a: b}", "true"])
    def test_wants_text(self, problems: Problems, value: str) -> None:
        (found,) = problems(f"extends: {value}\n")
        assert found.startswith("a.yaml:2:10: extends: wants the path")


class TestDemo:
    def test_is_applied_only_when_asked_for(self, load: Load) -> None:
        text = "train: {epochs: 9}\ndemo:\n  train: {epochs: 1}\n  optimizer: {name: sgd}\n"
        plain, demo = load(text), load(text, demo=True)
        assert (plain.recipe.train.epochs, plain.demo) == (9, False)
        assert (demo.recipe.train.epochs, demo.demo) == (1, True)
        assert demo.recipe.optimizer == SGD()
        assert demo.origins["train.epochs"] == "a.yaml:4:19 (demo)"

    def test_set_goes_over_it(self, load: Load) -> None:
        assert load("demo: {seed: 1}", demo=True, sets=["seed=2"]).recipe.seed == 2

    @pytest.mark.parametrize("text", ["", "demo:\n", "demo: false\n"])
    def test_a_recipe_without_one_says_so(self, load: Load, text: str) -> None:
        with pytest.raises(VtkError, match="has no demo"):
            load(text, demo=True)

    def test_must_be_valid_when_it_is_applied(self, problems: Problems) -> None:
        assert problems("demo:\n  train: {epoch: 1}\n", demo=True) == [
            "a.yaml:3:11: train.epoch: unknown key; did you mean 'epochs'?"
        ]

    @pytest.mark.parametrize("value", ["3", "[1]", "text"])
    @pytest.mark.parametrize("demo", [True, False])
    def test_must_be_a_section(self, problems: Problems, value: str, demo: bool) -> None:
        (found,) = problems(f"demo: {value}\n", demo=demo)
        assert found.startswith("a.yaml:2:7: demo: wants a section")

    @pytest.mark.parametrize("key", ["extends: x", "demo: {}"])
    def test_holds_no_file_keys(self, problems: Problems, key: str) -> None:
        (found,) = problems(f"demo:\n  {key}\n", demo=True)
        assert "not allowed inside the demo" in found

    def test_merges_with_that_of_the_base(self, write: Write) -> None:
        write("base.yaml", "task: sample\ndemo: {seed: 1, train: {epochs: 1}}\n")
        write("a.yaml", "extends: base.yaml\ndemo: {seed: 2}\n")
        recipe = load_recipe("a.yaml", demo=True).recipe
        assert (recipe.seed, recipe.train.epochs) == (2, 1)


class TestTask:
    def test_missing(self, write: Write) -> None:
        write("a.yaml", "# a comment\n\nseed: 1\n")
        error = refusal("a.yaml")
        assert str(error).startswith("a.yaml:3:1: task: this key is missing")
        assert "sample" in str(error)
        assert error.code == ExitCode.RECIPE

    @pytest.mark.parametrize("value", ["", "5", "[sample]", "true"])
    def test_no_name(self, write: Write, value: str) -> None:
        write("a.yaml", f"task: {value}\n")
        assert "wants the name of a task" in str(refusal("a.yaml"))

    def test_misspelt(self, write: Write) -> None:
        write("a.yaml", "task: smaple\n")
        error = refusal("a.yaml")
        assert str(error) == "a.yaml:1:7: task: no task is called 'smaple'; did you mean 'sample'?"
        assert error.code == ExitCode.RECIPE

    def test_not_installed(self, write: Write) -> None:
        write("a.yaml", "task: pose-of-horses\n")
        error = refusal("a.yaml")
        assert "installed: " in error.message
        assert error.code == ExitCode.UNAVAILABLE

    def test_by_its_full_name(self, write: Write) -> None:
        write("a.yaml", "task: sample:sample\n")
        assert load_recipe("a.yaml").task.entry.name == "sample"

    def test_from_the_command_line(self, write: Write) -> None:
        write("a.yaml", "task: nothing\n")
        assert load_recipe("a.yaml", sets=["task=sample"]).recipe.task == "sample"

    def test_a_broken_one_is_placed_where_it_is_named(self, write: Write, tmp_path: Path) -> None:
        site = Site(tmp_path / "site")
        site.folder.mkdir()
        site.install("broken-plugin", tasks={"broken": "broken_task:plugin"}, modules={"broken_task": "import nowhere"})
        write("a.yaml", "seed: 1\ntask: broken\n")
        with site.active():
            error = refusal("a.yaml")
        assert str(error).startswith("a.yaml:2:7: the task 'broken' cannot be loaded")
        assert error.code == ExitCode.UNAVAILABLE

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ("return None", "returned None"),
            ("return int", "must return a subclass of toolkit.Recipe"),
            ("return Recipe()", "ValidationError"),
            ("raise SystemExit(3)", "SystemExit: 3"),
            (
                "\n            class R(Recipe):\n                k: int = 'x'\n            return R",
                "R.k: bad default",
            ),
        ],
    )
    def test_a_bad_schema_is_the_plugins_fault(self, write: Write, tmp_path: Path, body: str, words: str) -> None:
        site = Site(tmp_path / "site")
        site.folder.mkdir()
        source = GOOD_TASK.replace("        return Recipe\n", f"        {body}\n".replace("            ", "        "))
        site.install("bad-schema", tasks={"bad-schema": "bad_schema:plugin"}, modules={"bad_schema": source})
        write("a.yaml", "task: bad-schema\n")
        with site.active():
            error = refusal("a.yaml")
        assert words in str(error)
        assert "bad-schema 1.0" in str(error)
        assert error.code == ExitCode.UNAVAILABLE


class TestExtensions:
    def test_defaults_come_first_then_the_recipes_order(self, load: Load) -> None:
        resolved = load("extensions:\n  plain:\n  counter: {every: 3}\n")
        assert list(resolved.extensions) == ["checkpoints", "metrics", "tensorboard", "progress", "plain", "counter"]
        assert list(resolved.plugins) == list(resolved.extensions)
        assert resolved.extensions["counter"] == CounterOptions(every=3)

    def test_naming_a_default_one_does_not_move_it(self, load: Load) -> None:
        resolved = load("extensions:\n  plain: true\n  progress: true\n")
        assert list(resolved.extensions)[-2:] == ["progress", "plain"]

    def test_one_by_its_full_name_finds_its_options(self, load: Load) -> None:
        resolved = load("extensions: {'Sample:counter': {every: 3}}\n")
        assert resolved.extensions["counter"] == CounterOptions(every=3)
        assert resolved.recipe.extensions["Sample:counter"] == {"every": 3, "to": None}
        assert load_text(resolved.to_yaml()).extensions == resolved.extensions

    def test_a_default_one_by_its_full_name_is_still_one(self, load: Load) -> None:
        resolved = load("extensions: {'vision-toolkit:progress': false, 'vision-toolkit:metrics': true}\n")
        assert list(resolved.extensions) == ["checkpoints", "tensorboard", "metrics"]

    def test_two_of_one_name_would_be_confused(self, load: Load, problems: Problems, tmp_path: Path) -> None:
        site = Site(tmp_path)
        site.install("other", extensions={"counter": "sample_task:plain", "progress": "sample_task:plain"})
        with site.active():
            assert list(load("extensions: {progress: false, 'other:progress': }").plugins)[-1] == "progress"
            assert problems("extensions: {'sample:counter': , 'other:counter': , 'other:progress': }\n") == [
                "a.yaml:2:34: extensions.other:counter: a second extension called 'counter', beside that of sample; "
                "set one of them to false",
                "a.yaml:2:53: extensions.other:progress: a second extension called 'progress', beside that of "
                "vision-toolkit; set one of them to false",
            ]

    def test_false_leaves_one_out(self, load: Load) -> None:
        resolved = load("extensions: {tensorboard: false, counter: false}")
        assert "tensorboard" not in resolved.extensions
        assert resolved.recipe.extensions["tensorboard"] is False
        assert resolved.recipe.extensions["counter"] is False

    @pytest.mark.parametrize("value", ["true", "", "{}", "null"])
    def test_switching_on_without_options(self, load: Load, value: str) -> None:
        assert load(f"extensions:\n  counter: {value}\n").extensions["counter"] == CounterOptions()

    def test_options_are_checked(self, problems: Problems) -> None:
        assert problems("extensions:\n  counter:\n    evry: 3\n  plain: {x: 1}\n  progress: 5\n") == [
            "a.yaml:4:5: extensions.counter.evry: unknown key; did you mean 'every'?",
            "a.yaml:5:11: extensions.plain.x: unknown key; known here: nothing",
            "a.yaml:6:13: extensions.progress: wants a mapping of keys to values, true or false, found the number 5",
        ]

    def test_unknown_name_is_listed_with_the_other_problems(self, problems: Problems) -> None:
        assert problems("extensions: {conter: {}}\nseed: x\n") == [
            "a.yaml:2:14: extensions.conter: no extension is called 'conter'; did you mean 'counter'?",
            "a.yaml:3:7: seed: wants a whole number, found the text 'x'",
        ]

    def test_not_installed(self, load: Load) -> None:
        with pytest.raises(RecipeError) as caught:
            load("extensions: {weights_and_such: {}}")
        assert caught.value.code == ExitCode.UNAVAILABLE

    @pytest.mark.parametrize("value", ["[counter]", "counter", ""])
    def test_must_be_a_mapping(self, problems: Problems, value: str) -> None:
        (found,) = problems(f"extensions: {value}\n")
        assert "extensions: wants a mapping" in found

    def test_options_in_full_in_the_recipe(self, load: Load) -> None:
        resolved = load("extensions: {counter: {every: 2}}")
        assert resolved.recipe.extensions["counter"] == {"every": 2, "to": None}
        assert resolved.origins["extensions.counter.every"] == "a.yaml:2:31"
        assert resolved.origins["extensions.counter.to"] == "default"


class TestSources:
    def test_missing_file_offers_the_nearest(self, write: Write) -> None:
        write("recipes/catsdogs.yaml", "task: sample\n")
        error = refusal("recipes/catdogs.yaml")
        assert str(error).endswith("did you mean 'recipes/catsdogs.yaml'?")
        assert error.code == ExitCode.NO_INPUT

    def test_missing_folder(self, folder: Path) -> None:
        assert refusal("no/such/a.yaml").code == ExitCode.NO_INPUT

    def test_folder_without_a_recipe(self, folder: Path) -> None:
        (folder / "photos").mkdir()
        assert "folder" in str(refusal("photos"))

    def test_run_directory(self, load: Load, write: Write) -> None:
        resolved = load("seed: 4")
        write("runs/x/recipe.yaml", resolved.to_yaml())
        assert load_recipe("runs/x").recipe == resolved.recipe

    def test_image_without_a_recipe(self, folder: Path) -> None:
        from PIL import Image

        Image.new("RGB", (2, 2)).save("a.png")
        assert "carries no recipe" in str(refusal("a.png"))

    @pytest.mark.parametrize("text", ["", "# nothing\n", "~\n"])
    def test_empty(self, write: Write, text: str) -> None:
        write("a.yaml", text)
        assert str(refusal("a.yaml")) == "a.yaml:1:1: the recipe is empty; it needs at least the key 'task'"

    @pytest.mark.parametrize("text", ["- a\n", "text\n", "3\n"])
    def test_not_a_mapping(self, write: Write, text: str) -> None:
        write("a.yaml", text)
        assert "a.yaml:1:1: a recipe must be keys with values" in str(refusal("a.yaml"))

    def test_an_endless_file_is_not_read_to_its_end(self, folder: Path) -> None:
        (folder / "a.yaml").symlink_to("/dev/zero")
        assert refusal("a.yaml").code in (ExitCode.RECIPE, ExitCode.NO_INPUT)

    def test_files_outside_the_folder_keep_their_whole_path(self, write: Write, tmp_path_factory: object) -> None:
        path = write("sub/a.yaml", "task: sample\nsed: 1\n")
        assert str(refusal(path)).startswith("sub/a.yaml:2:1: sed")

    def test_text_without_a_file(self) -> None:
        assert load_text("task: sample\n", name="folder").recipe.name == "folder"
        with pytest.raises(RecipeError, match="typed:1:16: sed"):
            load_text("{task: sample, sed: 1}", name="typed")


def test_options_of_a_recipe(write: Write) -> None:
    write("a.yaml", "task: sample\nthis: {is: not valid}\n")
    assert [option.flag for option in Reading("a.yaml").options()] == ["--path", "--width", "--class"]


def test_loading_imports_no_torch(write: Write, sample_site: Site) -> None:
    path = write("a.yaml", "task: sample\nextensions: {counter: {}}\n")
    code = (
        "import sys; from toolkit.recipe.load import load_recipe; "
        f"load_recipe({str(path)!r}); assert 'torch' not in sys.modules, 'torch'"
    )
    helpers = Path(__file__).parent.parent / "helpers"
    search = f"{sample_site.folder}:{helpers}"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": search}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
