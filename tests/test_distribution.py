"""What is published: a wheel and an sdist that need no checkout beside them."""

from __future__ import annotations

import email
import email.message
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from installed import Environment, call, make_environment

ROOT = Path(__file__).parents[1]
STATED = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text()
PACKAGES = [Path(package) for package in STATED["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
ON_GITHUB = {
    "GITHUB_REPOSITORY": "somebody/their-fork",
    "GITHUB_SHA": "0123abc",
    "GITHUB_SERVER_URL": "https://git.example",
}


def build(project: Path, folder: Path, *kinds: str, **variables: str) -> Path:
    """Build what ``kinds`` say with the tools that are here, and return the folder."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "PYTHON"))}
    command = [sys.executable, "-m", "build", *kinds, "--no-isolation", "--outdir", str(folder), str(project)]
    done = subprocess.run(command, env={**kept, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    folder = build(ROOT, tmp_path_factory.mktemp("sdist"), "--sdist", **ON_GITHUB)
    (packed,) = folder.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python before 3.11.4 has none
        archive.extractall(folder)
    return folder / packed.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the sdist, by someone who has nothing else."""
    (found,) = build(sdist, tmp_path_factory.mktemp("wheel"), "--wheel").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    made = make_environment(tmp_path_factory.mktemp("environment") / "venv")
    made.install([wheel])
    return made


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_string(archive.read(name).decode())


def pictures(text: str) -> list[str]:
    return re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)


def relative_links(text: str) -> list[str]:
    return re.findall(r"\]\((?!https?://|mailto:|#)([^)\s]+)\)", text)


def test_a_wheel_has_every_file_of_its_packages(wheel: Path) -> None:
    here = {
        path.relative_to(folder.parent).as_posix()
        for folder in (ROOT / package for package in PACKAGES)
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    recipes = {f"toolkit/shipped_recipes/{p.relative_to(ROOT / 'recipes')}" for p in (ROOT / "recipes").rglob("*.*")}
    assert {name for name in names(wheel) if ".dist-info/" not in name} == here | recipes


def test_each_package_says_that_it_is_typed(wheel: Path) -> None:
    packages = {name.split("/")[0] for name in names(wheel) if name.endswith(".py")}
    assert packages == {package.name for package in PACKAGES}
    assert {f"{package}/py.typed" for package in packages} <= names(wheel)


def test_each_built_in_task_is_shipped(wheel: Path) -> None:
    tasks = STATED["project"]["entry-points"]["vtk.tasks"].values()
    assert {f"{task.split(':')[0].replace('.', '/')}.py" for task in tasks} <= names(wheel)


def test_the_licence_comes_along(wheel: Path) -> None:
    about = metadata(wheel)
    assert about["License-Expression"] == "Apache-2.0"
    (name,) = (name for name in names(wheel) if name.endswith("LICENSE"))
    assert ".dist-info/" in name
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(name) == (ROOT / "LICENSE").read_bytes()


def test_an_index_shows_where_the_project_is(wheel: Path) -> None:
    urls = dict(line.split(", ") for line in metadata(wheel).get_all("Project-URL", []))
    assert urls["Homepage"].startswith("https://")


def test_the_sdist_has_what_the_readme_shows(sdist: Path) -> None:
    assert len(pictures(README)) >= 3
    assert [path for path in relative_links(README) if not (sdist / path).exists()] == []


class TestTheDescription:
    """What a package index shows, where a path of the repository leads nowhere."""

    def test_has_the_address_of_what_github_builds(self, wheel: Path) -> None:
        shown = metadata(wheel).get_payload()
        assert isinstance(shown, str)
        expected = [f"https://git.example/somebody/their-fork/raw/0123abc/{path}" for path in pictures(README)]
        assert pictures(shown) == expected
        assert "](https://git.example/somebody/their-fork/blob/0123abc/plugins/README.md)" in shown
        assert relative_links(shown) == []

    def test_has_the_address_that_the_project_names(self, tmp_path: Path) -> None:
        shown = description(tmp_path, '[project.urls]\nSource = "https://git.example/vtk/"\n', **ON_GITHUB)
        assert (
            shown == "![A cat](https://git.example/vtk/raw/0123abc/cat.jpg) [a](https://git.example/vtk/blob/0123abc/b)"
        )
        shown = description(tmp_path, '[project.urls]\nSource = "https://git.example/vtk"\n')
        assert pictures(shown) == ["https://git.example/vtk/raw/v1.5/cat.jpg"]

    def test_says_a_pictures_words_where_there_is_no_address(self, tmp_path: Path) -> None:
        assert description(tmp_path, "") == "*A cat* a"


def description(folder: Path, urls: str, **variables: str) -> str:
    """The description of a small project that is built as this one is."""
    hook = (
        '[tool.hatch.metadata.hooks.custom]\npath = "hook.py"\n[tool.hatch.build.targets.wheel]\npackages = ["some"]\n'
    )
    project = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    project += f'[project]\nname = "some"\nversion = "1.5"\ndynamic = ["readme"]\n{urls}{hook}'
    (folder / "some").mkdir(exist_ok=True)
    (folder / "some" / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(project)
    (folder / "hook.py").write_text((ROOT / ".ci" / "description.py").read_text())
    (folder / "README.md").write_text("![A cat](cat.jpg) [a](b)")
    (built,) = build(folder, folder / f"built-{len(list(folder.iterdir()))}", "--wheel", **variables).glob("*.whl")
    return str(metadata(built).get_payload()).strip()


class TestInstalled:
    """``vtk`` from the wheel, in a directory without a checkout."""

    def test_is_what_runs(self, environment: Environment, tmp_path: Path) -> None:
        script = "import toolkit, vtk_style; print(toolkit.__file__, vtk_style.__file__)"
        done = call([environment.python, "-c", script], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert all(Path(file).is_relative_to(environment.folder) for file in done.stdout.split())

    def test_shows_a_shipped_recipe(self, environment: Environment, tmp_path: Path) -> None:
        done = environment.run("toolkit.cli", "recipes", "show", "catsdogs", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "task: classification" in done.stdout

    def test_runs_a_recipe(self, environment: Environment, tmp_path: Path) -> None:
        words = ["run", "digits", "--out", "run", "--set", "train.epochs=1", "--set", "data.limit=60", "--quiet"]
        done = environment.run("toolkit.cli", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "finished"

    def test_begins_a_plugin(self, environment: Environment, tmp_path: Path) -> None:
        done = environment.run("toolkit.cli", "new-plugin", "shapes", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "vtk-shapes" / "pyproject.toml").is_file()
