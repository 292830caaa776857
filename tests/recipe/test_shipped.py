from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plugin_site import Site

from toolkit.errors import ExitCode, VtkError
from toolkit.recipe import shipped
from toolkit.recipe.load import load_recipe, load_text
from toolkit.recipe.shipped import Source, find_shipped, is_shipped, shipped_recipes
from toolkit.recipe.source import extends_chain, read_document


@pytest.fixture
def two_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The core's folder and another package's, which both ship ``same``."""
    for name in ("core", "other"):
        (tmp_path / name / "schemas").mkdir(parents=True)
        (tmp_path / name / "same.yaml").write_text(f"# From {name}.\ntask: sample\nseed: {len(name)}\n")
    (tmp_path / "core" / "digits.yaml").write_text(
        "# yaml-language-server: $schema=x.json\n#\n# Handwritten digits.\n# More.\ntask: sample\n"
    )
    (tmp_path / "core" / "bare.yaml").write_text("task: sample\n# late\n")
    monkeypatch.setattr(shipped, "sources", lambda: iter([Source("vision-toolkit", tmp_path / "core")]))
    monkeypatch.setattr(shipped, "external_sources", lambda: iter([Source("other", tmp_path / "other")]))
    return tmp_path


def test_list_is_sorted_and_says_whose_each_is(two_sources: Path) -> None:
    assert [(recipe.chosen_as, recipe.distribution) for recipe in shipped_recipes()] == [
        ("bare", "vision-toolkit"),
        ("digits", "vision-toolkit"),
        ("same", "vision-toolkit"),
        ("other:same", "other"),
    ]


def test_title_is_the_first_line_of_the_opening_comment(two_sources: Path) -> None:
    assert find_shipped("digits").title == "Handwritten digits."
    assert find_shipped("bare").title == ""


def test_unknown_name_offers_the_nearest(two_sources: Path) -> None:
    with pytest.raises(VtkError, match="did you mean 'digits'") as caught:
        find_shipped("digit")
    assert caught.value.code == ExitCode.NO_INPUT
    with pytest.raises(VtkError, match="bare, digits"):
        find_shipped("zzz")


def test_a_name_of_the_toolkits_own_recipes_means_that_one(two_sources: Path) -> None:
    assert find_shipped("same").path == two_sources / "core" / "same.yaml"
    assert find_shipped("other:same").path == two_sources / "other" / "same.yaml"
    assert find_shipped("vision-toolkit:same").path == two_sources / "core" / "same.yaml"


def test_two_other_packages_of_one_name_need_the_full_name(two_sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Source(name, two_sources / "other") for name in ("second", "other")]
    monkeypatch.setattr(shipped, "sources", lambda: iter(()))
    monkeypatch.setattr(shipped, "external_sources", lambda: iter(found))
    assert [recipe.chosen_as for recipe in shipped_recipes()] == ["other:same", "second:same"]
    with pytest.raises(VtkError, match="several recipes are called 'same'"):
        find_shipped("same")
    assert find_shipped("second:same").distribution == "second"


class TestOfPlugins:
    """Recipes that a distribution declares in the group ``vtk.recipes``."""

    @pytest.fixture
    def site(self, tmp_path: Path) -> Iterator[Site]:
        site = Site(tmp_path)
        points = "[vtk.recipes]\npots = vtk_pots.jobs\n"
        site.install("vtk-pots", entry_points=points)
        jobs = tmp_path / "vtk_pots" / "jobs"
        jobs.mkdir(parents=True)
        (tmp_path / "vtk_pots" / "__init__.py").write_text("raise SystemExit('imported')")
        (jobs / "pots.yaml").write_text("# Pots and pans.\ntask: pots\n")
        (jobs / "digits.yaml").write_bytes(b"# \xff not UTF-8\n")
        with site.active():
            yield site

    def test_are_found_without_an_import(self, site: Site) -> None:
        found = {r.chosen_as: r for r in shipped_recipes() if r.distribution == "vtk-pots"}
        assert set(found) == {"pots", "vtk-pots:digits"}
        assert found["pots"].title == "Pots and pans."
        assert find_shipped("digits").distribution == "vision-toolkit"
        assert find_shipped("VTK_pots:digits").path == found["vtk-pots:digits"].path
        assert is_shipped("pots")
        assert is_shipped("vtk-pots:digits")
        assert not is_shipped("pans")
        assert "vtk_pots" not in sys.modules

    @pytest.mark.parametrize("disabled", ["*", "pots", "vtk-pots:pots"])
    def test_go_with_their_plugin(self, site: Site, disabled: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("VTK_DISABLE_PLUGINS", disabled)
        assert {recipe.distribution for recipe in shipped_recipes()} == {"vision-toolkit"}

    @pytest.mark.parametrize("value", ["vtk_pots.nothing", "nothing_at_all.jobs", "", "..", "vtk_pots:jobs.pots.yaml"])
    def test_a_folder_that_is_not_there_hides_nothing_else(self, site: Site, value: str) -> None:
        site.install("vtk-empty", entry_points=f"[vtk.recipes]\nempty = {value}\n")
        assert find_shipped("pots").distribution == "vtk-pots"


@pytest.mark.usefixtures("sample_site")
class TestLoading:
    def test_by_name(self, two_sources: Path, folder: Path) -> None:
        resolved = load_recipe("other:same")
        assert (resolved.recipe.name, resolved.recipe.seed) == ("same", 5)

    def test_extending_by_name(self, two_sources: Path, write: Callable[[str, str], Path]) -> None:
        write("a.yaml", "extends: other:same\n")
        assert load_recipe("a.yaml").recipe.seed == 5

    def test_a_file_beside_the_recipe_goes_before_a_shipped_one(
        self, two_sources: Path, write: Callable[[str, str], Path]
    ) -> None:
        write("bare", "task: sample\nseed: 77\n")
        write("a.yaml", "extends: bare\n")
        assert load_recipe("a.yaml").recipe.seed == 77

    def test_a_folder_of_the_same_name_does_not_hide_it(self, two_sources: Path, folder: Path) -> None:
        (folder / "digits").mkdir()
        assert load_recipe("digits").recipe.name == "digits"

    def test_unknown_name(self, two_sources: Path, folder: Path) -> None:
        with pytest.raises(VtkError, match="did you mean 'digits'"):
            load_recipe("digitz")


def test_the_repositorys_own_recipes_are_found() -> None:
    (source,) = shipped.sources()
    assert source.folder.name in ("recipes", "shipped_recipes")
    assert {recipe.path for recipe in shipped_recipes()} == set(source.folder.glob("*.yaml"))


@pytest.mark.parametrize("name", [recipe.name for recipe in shipped_recipes()])
def test_every_shipped_recipe_is_valid_with_and_without_its_demo(name: str) -> None:
    recipe = find_shipped(name)
    assert recipe.title
    assert load_recipe(name).recipe.name == name
    if any("demo" in document.root.entries for document in extends_chain(read_document(name))):
        assert load_recipe(name, demo=True).demo


def test_the_readmes_example_is_valid() -> None:
    (source,) = shipped.sources()
    example = (source.folder / "README.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    assert load_text(example, demo=True).recipe.train.epochs == 2
