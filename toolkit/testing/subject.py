"""What is checked: a plugin, with a recipe small enough to be run several times."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.hooks.entry import Kind, LoadedPlugin, Plugin
from toolkit.testing.isolation import entry_of, object_of, only

if TYPE_CHECKING:
    from toolkit.hooks.catalogue import Catalogue
    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.testing.training import Trained

FilesOf = Callable[[Any, Path], Sequence[Path]]

_BASICS = ("train.device=cpu", "extensions.tensorboard=false", "extensions.progress=false")


class Subject:
    """A plugin and a tiny recipe. Runs are done once and shared by the checks.

    Args:
        plugin: the object that the entry point names, or where it is, ``package.module:attribute``, or the name of an
            installed plugin. Only the latter two let a fresh Python import it.
        recipe: a file's path, a shipped recipe's name, or the recipe as a mapping. It should train for some seconds,
            at least four optimizer steps.
        folder: an empty folder for runs.
        kind: what ``plugin`` is; an extension is named by the recipe, which is of a task in ``beside``.
        name: the plugin's public name, where it is not installed; by default the ``task`` of the recipe.
        sets: ``key=value`` over the recipe, as for ``--set``. The device is the CPU unless they say otherwise.
        demo: apply the recipe's demo overlay.
        beside: other plugins that the recipe needs; nothing else but the built-in ones is found.
        files: makes files of the evaluated split, for tasks that predict: called with its data set and an empty folder,
            it returns a path for each sample in order. None says that they cannot be made.
        missing: ``key=value`` that name data which do not exist. Values of the recipe that are existing files or
            folders are tried without being asked for.
    """

    def __init__(
        self,
        plugin: object | str,
        recipe: str | Path | Mapping[str, Any],
        *,
        folder: Path,
        kind: Kind = "task",
        name: str | None = None,
        sets: Sequence[str] = (),
        demo: bool = False,
        beside: Sequence[Plugin] = (),
        files: FilesOf | None = None,
        missing: Sequence[str] = (),
    ) -> None:
        if name is None and kind == "task":
            name = _task_of(recipe)
        self.given = plugin
        self.entry = entry_of(plugin, kind, name)
        self.recipe = recipe
        self.folder = folder
        self.sets = (*_BASICS, *sets)
        self.demo = demo
        self.beside = tuple(beside)
        self.files = files
        self.missing = tuple(missing)
        self._ended: dict[str, Exception] = {}

    @property
    def kind(self) -> Kind:
        """Task or extension."""
        return self.entry.kind

    @cached_property
    def plugin(self) -> Any:
        """The plugin's object."""
        return object_of(self.given, self.entry)

    @contextmanager
    def alone(self) -> Iterator[Catalogue]:
        """While the block runs, nothing is installed but this plugin, those beside it and the built-in ones."""
        installed_elsewhere = () if self.entry.builtin else (self.entry,)
        with only(*installed_elsewhere, *self.beside) as catalogue:
            yield catalogue

    @cached_property
    def loaded(self) -> LoadedPlugin:
        """The plugin as the toolkit loads it, hooks and schema checked.

        Raises:
            VtkError: it would not do what its author meant.
        """
        from toolkit.recipe.mark import Mark
        from toolkit.recipe.plugins import load_plugin

        with self.alone() as catalogue:
            return load_plugin(self.entry.full_name, self.kind, self.kind, Mark("the test"), catalogue)

    def resolve(self, *sets: str) -> ResolvedRecipe:
        """The recipe with ``sets`` over it, and with plugin objects that no run has used yet."""
        from toolkit.recipe.load import load_recipe, load_text
        from toolkit.recipe.resolved import dump_yaml

        wanted: dict[str, Any] = {"sets": (*self.sets, *sets), "demo": self.demo}
        with self.alone() as catalogue:
            if isinstance(self.recipe, Mapping):
                text = dump_yaml(_plain(self.recipe))
                resolved = load_text(text, name="recipe", catalogue=catalogue, **wanted)
            else:
                resolved = load_recipe(self.recipe, catalogue=catalogue, **wanted)
        plugins = {name: _fresh(loaded) for name, loaded in resolved.plugins.items()}
        return dataclasses.replace(resolved, task=_fresh(resolved.task), plugins=plugins)

    @cached_property
    def trained(self) -> Trained:
        """The recipe trained, evaluated and bundled, once."""
        return self._train_once("trained", True)

    @cached_property
    def again(self) -> Trained:
        """The same, trained a second time."""
        return self._train_once("again", False)

    def _train_once(self, name: str, finish: bool) -> Trained:
        """What ended the run is told to every check that asks for it; a second try would find its directory taken."""
        from toolkit.testing.training import train

        if name in self._ended:
            raise self._ended[name]
        try:
            return train(self, name, finish=finish)
        except Exception as error:
            self._ended[name] = error
            raise


def _task_of(recipe: str | Path | Mapping[str, Any]) -> str | None:
    """The task that a recipe names, without the package's name."""
    if isinstance(recipe, Mapping):
        task = recipe.get("task")
    else:
        from toolkit.recipe.source import extends_chain, read_document
        from toolkit.recipe.yaml.nodes import ScalarNode

        nodes = [document.root.get("task") for document in reversed(extends_chain(read_document(recipe)))]
        task = next((node.value for node in nodes if isinstance(node, ScalarNode)), None)
    return str(task).rpartition(":")[2] or None if task else None


def _fresh(loaded: LoadedPlugin) -> LoadedPlugin:
    """A copy of the plugin's object as its import left it: what it remembers of one run is gone in the next, as it is
    where another process resumes a run.
    """
    try:
        return dataclasses.replace(loaded, plugin=copy.deepcopy(loaded.plugin))
    except Exception:  # a module, or an object that holds a lock; it is used as it is
        return loaded


def _plain(value: Any) -> Any:
    """Paths as text, so that a recipe may be written as a mapping with paths in it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
