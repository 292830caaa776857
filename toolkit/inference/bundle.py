"""A saved model that needs nothing else to predict: weights as safetensors, everything else as JSON. Never a pickle.

bundle/
  model.safetensors   the model's state dict
  bundle.json         format, task, meta, recipe, versions, fingerprint of the data, SHA-256 of the weights and of
                      these facts themselves
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import ExitCode, VtkError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from toolkit.hooks.catalogue import Catalogue, LoadedPlugin
    from toolkit.hooks.manager import Manager
    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.recipe.sections import Recipe
    from toolkit.types.data import Data

FORMAT = 1
FACTS = "bundle.json"
WEIGHTS = "model.safetensors"
_NEEDED = ("format", "task", "meta", "recipe", "versions", "fingerprint", "weights_sha256", "facts_sha256")
_DAMAGED = "copy it again from where it was made, or train again"


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk whose files have been checked.

    Attributes:
        directory: where it lies.
        facts: everything in ``bundle.json``.
        catalogue: the plugins among which the bundle's task is looked for; None takes those installed.
        device: where :attr:`network` lives: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    """

    directory: Path
    facts: dict[str, Any]
    catalogue: Catalogue | None = None
    device: str = "auto"

    @classmethod
    def save(
        cls,
        directory: Path | str,
        *,
        model: nn.Module,
        recipe: ResolvedRecipe,
        data: Data,
        run_files: Mapping[str, Any] | None = None,
        start: str | None = None,
    ) -> Bundle:
        """Write a bundle, whole or not at all; one that lies there already is replaced.

        Args:
            directory: the bundle's own directory.
            model: its state dict is saved, in whatever dtype it has.
            recipe: the resolved recipe; rebuilds the model together with ``data.meta``.
            data: its ``meta`` and ``fingerprint`` are saved.
            run_files: digests of files beside the bundle that an evaluation of its run reads.
            start: what the weights were before training, in a few words.

        Raises:
            VtkError: the directory cannot be written.
        """
        from toolkit.system.exchange import replace_directory
        from toolkit.system.files import new_directory, write_error
        from toolkit.system.leaving import saving

        directory = Path(directory)
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            temporary = new_directory(directory)
        except OSError as error:
            raise write_error(directory, error) from error
        try:
            with saving():
                facts = _write(temporary, model, recipe, data, dict(run_files or {}), start)
                replace_directory(temporary, directory)
        except OSError as error:
            raise write_error(directory, error) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return cls(directory, facts)

    @classmethod
    def load(cls, path: Path | str, *, catalogue: Catalogue | None = None, device: str = "auto") -> Bundle:
        """Open a bundle, or the bundle of a run directory, and check that both files are what was saved.

        Raises:
            VtkError: there is none, it is damaged, or a newer version made it.
        """
        directory = _find(Path(path))
        facts = _read_facts(directory / FACTS)
        _check_weights(directory / WEIGHTS, facts["weights_sha256"])
        return cls(directory, facts, catalogue, device)

    @property
    def meta(self) -> dict[str, Any]:
        """What ``vtk_data`` noted: classes, sizes, preprocessing."""
        meta: dict[str, Any] = self.facts["meta"]
        return meta

    @property
    def task(self) -> str:
        """The task's name, as the recipe had it."""
        return str(self.facts["task"])

    @property
    def fingerprint(self) -> str | None:
        """Names the content of the training data."""
        fingerprint: str | None = self.facts["fingerprint"]
        return fingerprint

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the packages that made the weights."""
        return dict(self.facts["versions"])

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, typed by the task's own schema.

        Raises:
            VtkError: the task is not installed, or its schema no longer takes this recipe.
        """
        from pydantic import ValidationError

        try:
            schema: Any = self._plugin.schema
            recipe: Recipe = schema.model_validate_json(json.dumps(self.facts["recipe"]))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            made_by = self.versions.get("vision-toolkit", "an unknown version")
            raise VtkError(
                f"the task {self.task!r} does not take the bundle's recipe: "
                f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
                place=str(self.directory / FACTS),
                hint=f"the bundle was made by vision-toolkit {made_by}; use that version, or train again",
            ) from error
        return recipe

    @cached_property
    def manager(self) -> Manager:
        """A plugin manager with the core's defaults and the bundle's task."""
        from toolkit.hooks.manager import build_manager
        from toolkit.inference.defaults import InferenceDefaults

        return build_manager(InferenceDefaults(), [], self._plugin)

    @cached_property
    def _plugin(self) -> LoadedPlugin:
        from toolkit.hooks.catalogue import Catalogue
        from toolkit.recipe.mark import Mark
        from toolkit.recipe.plugins import load_plugin

        mark = Mark(str(self.directory / FACTS))
        return load_plugin(self.task, "task", "task", mark, self.catalogue or Catalogue())

    @cached_property
    def network(self) -> nn.Module:
        """The model on the bundle's device as it answers predictions, built once; see the hook ``vtk_inference``.

        It computes in the recipe's ``inference.precision`` and gives floating answers in float32.
        """
        from toolkit.inference.precision import answers_in
        from toolkit.system.devices import pick_device

        model = self.model(pick_device(self.device))
        answering: nn.Module | None = self.manager.call("vtk_inference", recipe=self.recipe, model=model)
        return answers_in(model if answering is None else answering.eval(), self.recipe.inference.precision)

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        """Within, what is wrong with ``meta`` is told with the bundle's place."""
        try:
            yield
        except VtkError as error:
            error.place = error.place or str(self.directory / FACTS)
            raise

    def model(self, device: torch.device | str = "cpu") -> nn.Module:
        """The model with its weights, in evaluation mode, on a device.

        Raises:
            VtkError: the installed task builds another model than the one that was saved.
        """
        from toolkit.hooks.manager import call_required
        from toolkit.models.weights import load_state, read_state
        from toolkit.system.process import building
        from toolkit.types.data import Data

        data = Data(meta=self.meta, restored=True)
        with building(), self._blamed():
            model: nn.Module = call_required(self.manager, "vtk_model", recipe=self.recipe, data=data)
        weights = self.directory / WEIGHTS
        load_state(model, read_state(weights), heads=(), place=str(weights))
        return model.to(device).eval()


def _write(
    directory: Path, model: nn.Module, recipe: ResolvedRecipe, data: Data, run_files: dict[str, Any], start: str | None
) -> dict[str, Any]:
    from safetensors.torch import save

    from toolkit.system.environment import versions
    from toolkit.system.files import sync_directory, write_atomic

    # Each tensor by itself: safetensors takes no shared memory, and channels-last is no format for a file.
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    weights = save(state)
    facts = {
        "format": FORMAT,
        "task": recipe.recipe.task,
        "meta": data.meta,
        "recipe": json.loads(recipe.to_json()),
        "versions": versions(),
        "fingerprint": data.fingerprint,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    if run_files:
        facts["run_files"] = run_files
    if start is not None:
        facts["start"] = start
    facts["recipe"].pop("demo", None)
    facts["facts_sha256"] = _digest(facts)
    write_atomic(directory / WEIGHTS, weights)
    write_atomic(directory / FACTS, json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    sync_directory(directory)
    return facts


def _digest(facts: dict[str, Any]) -> str:
    """SHA-256 of the facts less their own digest, whatever the layout of the file."""
    rest = {key: value for key, value in facts.items() if key != "facts_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _digest_of_read(facts: dict[str, Any], path: Path) -> str:
    try:
        return _digest(facts)
    except RecursionError as error:
        raise VtkError("damaged: nested too deeply", place=str(path), hint=_DAMAGED) from error


def _find(path: Path) -> Path:
    from toolkit.system.exchange import standing

    path = standing(path)
    inner = standing(path / "bundle")
    candidates = [path, inner] if path.is_dir() else [path.parent] if path.name in (FACTS, WEIGHTS) else []
    for candidate in candidates:
        if (candidate / FACTS).is_file():
            return candidate
    if not path.exists():
        raise VtkError("no such run or bundle", place=str(path), code=ExitCode.NO_INPUT)
    if any((candidate / WEIGHTS).is_file() for candidate in candidates):
        raise VtkError(f"the bundle has lost its {FACTS}", place=str(path), hint=_DAMAGED)
    if (path / "recipe.yaml").is_file():
        hint = "the run has not come to its end; go on with vtk run DIRECTORY --resume"
    else:
        hint = f"give the directory of a finished run, or a bundle: a directory with {FACTS} and {WEIGHTS}"
    raise VtkError("there is no bundle here", place=str(path), hint=hint, code=ExitCode.NO_INPUT)


def _read_facts(path: Path) -> dict[str, Any]:
    from toolkit.inference.bundle_schema import LARGEST, require_form
    from toolkit.system.disk_errors import read_error

    try:
        if path.stat().st_size > LARGEST:
            raise VtkError(f"is larger than {LARGEST >> 20} MiB, which no bundle's facts are", place=str(path))
        facts = json.loads(path.read_bytes())
    except OSError as error:
        raise read_error(path, error) from error
    except (ValueError, RecursionError) as error:
        raise VtkError(f"damaged: {error}", place=str(path), hint=_DAMAGED) from error
    version = facts.get("format") if isinstance(facts, dict) else None
    if not isinstance(version, int):
        raise VtkError("this is no bundle of vision-toolkit", place=str(path))
    if version > FORMAT:
        versions = facts.get("versions")
        made_by = versions.get("vision-toolkit") if isinstance(versions, dict) else None
        made_by = made_by or "a newer version"
        raise VtkError(
            f"the bundle has format {version}, and this version reads formats up to {FORMAT}",
            place=str(path),
            hint=f"it was made by vision-toolkit {made_by}: pip install -U vision-toolkit",
        )
    missing = [key for key in _NEEDED if key not in facts]
    if missing or facts["facts_sha256"] != _digest_of_read(facts, path):
        what = f"{', '.join(missing)} missing" if missing else "its checksum is wrong"
        raise VtkError(f"damaged or changed by hand: {what}", place=str(path), hint=_DAMAGED)
    require_form(facts, str(path))
    return dict(facts)


def _check_weights(path: Path, expected: str) -> None:
    from toolkit.system.disk_errors import read_error

    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise VtkError("the bundle has lost its weights", place=str(path), hint=_DAMAGED) from error
    except OSError as error:
        raise read_error(path, error) from error
    if found != expected:
        raise VtkError("the weights are damaged: their checksum is wrong", place=str(path), hint=_DAMAGED)
