"""Finds a recipe by path, by the name of a shipped one, or inside a run's directory or an image, and reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import ExitCode, VtkError, nearest
from toolkit.recipe import embedded
from toolkit.recipe.mark import Mark
from toolkit.recipe.problems import Problem, RecipeError, shortened
from toolkit.recipe.shipped import find_shipped
from toolkit.recipe.yaml.nodes import MapNode, ScalarNode
from toolkit.recipe.yaml.text import MAX_BYTES, compose_file
from toolkit.system.disk_errors import input_error

RUN_RECIPE = "recipe.yaml"
MAX_EXTENDS = 16


@dataclass(frozen=True)
class Document:
    """One recipe file as a tree. ``path`` is None for text that has no file."""

    root: MapNode
    display: str
    path: Path | None
    stem: str


def read_document(source: str | Path) -> Document:
    """The recipe at a path, inside a run's directory or an image, or the shipped recipe of that name.

    Raises:
        VtkError: nothing there, or not readable.
        RecipeError: there, but not YAML within the limits.
    """
    path = Path(source)
    if path.is_dir() and (path / RUN_RECIPE).is_file():
        path = path / RUN_RECIPE
    elif not path.is_file():
        path = _shipped_path(str(source), path)
    return parse_document(_read(path), display=_display(path), path=path)


def parse_document(raw: bytes, *, display: str, path: Path | None = None) -> Document:
    """The recipe in ``raw``; ``display`` is how messages call it."""
    root = compose_file(raw, display)
    if root is None or (isinstance(root, ScalarNode) and root.value is None):
        raise RecipeError([Problem(Mark(display, 1, 1), "", "the recipe is empty; it needs at least the key 'task'")])
    if not isinstance(root, MapNode):
        raise RecipeError([Problem(root.mark, "", "a recipe must be keys with values, e.g. 'task: classification'")])
    return Document(root, display, path, path.stem if path is not None else Path(display).stem)


def extends_chain(document: Document) -> list[Document]:
    """The document and those that it extends, the outermost base first."""
    chain = [document]
    while (base := _base(chain[-1])) is not None:
        node = chain[-1].root.entries["extends"].node
        if any(base.path is not None and d.path is not None and base.path.samefile(d.path) for d in chain):
            route = " → ".join(d.display for d in [*chain, base])
            raise RecipeError([Problem(node.mark, "extends", f"the recipes extend each other in a circle: {route}")])
        if len(chain) > MAX_EXTENDS:
            raise RecipeError([Problem(node.mark, "extends", f"more than {MAX_EXTENDS} recipes extend one another")])
        chain.append(base)
    return chain[::-1]


def _base(document: Document) -> Document | None:
    node = document.root.get("extends")
    if node is None:
        return None
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        message = "wants the path of a recipe file or the name of a shipped recipe, as text"
        raise RecipeError([Problem(node.mark, "extends", message)])
    try:
        return read_document(_beside(document, node.value))
    except RecipeError:
        raise
    except VtkError as error:
        raise VtkError(f"extends: {error}", place=str(node.mark), code=error.code) from None
    except OSError as error:  # such as a name that is too long for a file
        raise RecipeError([Problem(node.mark, "extends", f"{shortened(node.value)}: {error.strerror}")]) from None


def _beside(document: Document, name: str) -> str | Path:
    """A path counts from the folder of the recipe that names it."""
    folder = Path() if document.path is None else document.path.parent
    beside = folder / name
    looks_like_path = "/" in name or Path(name).suffix in (".yaml", ".yml")
    return beside if looks_like_path or beside.is_file() else name


def _shipped_path(name: str, path: Path) -> Path:
    if path.is_dir():
        try:
            return find_shipped(name).path
        except VtkError:
            raise VtkError(
                f"this is a folder without a {RUN_RECIPE}",
                place=name,
                hint="name a recipe file",
                code=ExitCode.NO_INPUT,
            ) from None
    if "/" not in name and path.suffix not in (".yaml", ".yml", *embedded.SUFFIXES):
        return find_shipped(name).path
    close = nearest(path.name, [p.name for p in path.parent.glob("*.y*ml")], 1) if path.parent.is_dir() else []
    hint = f"did you mean {str(path.parent / close[0])!r}?" if close else "`vtk recipes ls` lists the shipped recipes"
    raise VtkError("there is no such recipe file", place=name, hint=hint, code=ExitCode.NO_INPUT)


def _read(path: Path) -> bytes:
    try:
        if path.suffix.lower() in embedded.SUFFIXES:
            text = embedded.read(path)
            if text is None:
                hint = "only images that vtk wrote with their recipe can be given here"
                raise VtkError("this image carries no recipe", place=str(path), hint=hint, code=ExitCode.DATA)
            return text.encode("utf-8", errors="replace")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise input_error(path, error) from None


def _display(path: Path) -> str:
    """The path as short as it can be said from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (OSError, ValueError):
        return str(path)
