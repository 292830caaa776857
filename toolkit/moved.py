"""Modules that lay elsewhere before 0.1: their old names still lead to them, with a warning, until 0.2.

Modules of the core are private, and yet somebody's script may import one. Nothing here is looked at before Python has
failed to find a module of the toolkit.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["moved_modules", "names_of_old", "redirect_old_names"]

# Old name and new name, both below `toolkit`.
_TABLE = """
data.array_augment data.augment.batch_augment
data.bad_images data.loading.bad_images
data.balance data.loading.balance
data.belonging data.splits.groups
data.cache data.loading.cache
data.containers data.io.image_headers
data.datasets data.loading.datasets
data.dealing data.splits.stratified_groups
data.decode data.io.decode
data.draws data.augment.rng
data.early_limit data.splits.early_subsample
data.file_states data.io.file_stats
data.fingerprints data.splits.fingerprints
data.fingerprints.groups data.splits.fingerprints.groups
data.fingerprints.hashes data.splits.fingerprints.hashes
data.fingerprints.kept data.splits.fingerprints.kept
data.fingerprints.neighbours data.splits.fingerprints.neighbours
data.fingerprints.stages data.splits.fingerprints.stages
data.fused data.augment.fused_affine
data.image_files data.io.image_files
data.images labelled_images.data
data.label_sets data.splits.stratified_multilabel
data.limit data.splits.subsample
data.loaders data.loading.loaders
data.manifest data.splits.manifest
data.mixing data.augment.mixing
data.names data.io.path_table
data.opencv system.opencv
data.order data.loading.sampler
data.pipeline data.augment.albumentations_pipeline
data.reading data.loading.image_cache
data.report data_audit
data.report.classes data_audit.classes
data.report.data_report data_audit.data_report
data.report.fault types.finding
data.report.files data_audit.files
data.report.listing data.sources.listing
data.report.page data_audit.page
data.report.scan data_audit.scan
data.report.sheet data_audit.thumbnails
data.report.sizes data_audit.sizes
data.report.survey labelled_images.survey
data.report.text data_audit.text
data.report.twins data_audit.duplicates
data.resize data.io.resize
data.sections labelled_images.data_sections
data.sharing data.loading.shared_memory
data.sources.scan data.io.scan
data.stamps types.stamps
data.types types.data
data.workers data.loading.workers
environ system.environ
home system.home
hooks.answers hooks.results
hooks.blame hooks.attribution
hooks.early hooks.trace
hooks.exits hooks.loading
hooks.markers hooks.specs
hooks.types types.options
memory_limit system.memory_limit
models.build labelled_images.model
models.bundle inference.bundle
models.bundle_form inference.bundle_schema
models.cnn_forms models.cnn_presets
models.groups optim.groups
models.losses labelled_images.losses
models.outputs inference.outputs
models.parts models.heads
models.sections labelled_images.model_sections
models.tta labelled_images.tta
os_errors system.os_errors
printable system.printable
progress system.progress
recipe.defaults recipe.schema.defaults
recipe.examine recipe.plugin_check
recipe.merge recipe.yaml.merge
recipe.nodes recipe.yaml.nodes
recipe.optimizers optim.optimizer_sections
recipe.overruled recipe.schema.ignored_keys
recipe.scalars recipe.yaml.scalars
recipe.schedules optim.schedule_sections
recipe.section section
recipe.shape recipe.schema.shape
recipe.text recipe.yaml.text
recipe.validate recipe.schema.validate
recipe.wording recipe.schema.messages
run.bench profile.bench
run.bench_advice profile.bench_advice
run.bench_trials profile.bench_trials
run.changes run.checkpoint.changes
run.checkpoints run.checkpoint.store
run.clocks profile.timers
run.copying system.to_device
run.curves report.curves
run.data_report data_audit.audit_run
run.devices system.devices
run.disk_errors system.disk_errors
run.elsewhere run.checkpoint.moved
run.environment system.environment
run.evaluate run.evaluator
run.exchange system.exchange
run.fetch_parts profile.data_profile
run.figure_text report.figure_text
run.files system.files
run.gaps report.gaps
run.hardware system.hardware
run.jsonable system.jsonable
run.keeping run.checkpoint.policy
run.lock system.lock
run.loss_faults run.errors
run.lr_finder tune.lr_finder
run.machine system.allocator
run.mendable run.errors
run.meta_faults inference.meta
run.nested system.nested
run.optimizers optim.optimizers
run.plan run.dry_run
run.plugin_state run.checkpoint.plugin_state
run.predict inference.predict
run.process system.process
run.reevaluate run.evaluate_run
run.report types.results
run.report_page report.run_page
run.same_start run.checkpoint.resume
run.sample_sheet labelled_images.sample_sheet
run.schedules optim.schedules
run.seal run.checkpoint.seal
run.signals system.signals
run.snapshot run.checkpoint.state
run.snapshot_form run.checkpoint.state_schema
run.stages recipe.stages
run.state_file run.checkpoint.format
run.step_display system.step_display
terminal system.terminal
"""


@cache
def moved_modules() -> dict[str, str]:
    """Old name → new name."""
    return {f"toolkit.{old}": f"toolkit.{new}" for old, new in (line.split() for line in _TABLE.split("\n") if line)}


def redirect_old_names() -> None:
    """Let Python find modules by the names that they had."""
    if not any(isinstance(finder, _OldNames) for finder in sys.meta_path):
        sys.meta_path.append(_OldNames())


def names_of_old(package: str, module: str) -> Callable[[str], Any]:
    """``__getattr__`` of a package that was a module of that name: what the module had is in ``module`` now."""

    def get(name: str) -> Any:
        # What lies in the package itself is no old name, even where the module has one like it.
        if not name.startswith("__") and importlib.util.find_spec(f"{package}.{name}") is None:
            found = getattr(importlib.import_module(module), name, None)
            if found is not None:
                _warn(f"{package}.{name}", f"{module}.{name}")
                return found
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get


class _OldNames(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith("toolkit.") or fullname not in moved_modules():
            return None
        return importlib.util.spec_from_loader(fullname, _Redirect(moved_modules()[fullname]))


class _Redirect(importlib.abc.Loader):
    def __init__(self, module: str) -> None:
        self.module = module

    def exec_module(self, module: ModuleType) -> None:
        """The import system takes what it finds under the old name afterwards: the module itself, not a copy."""
        _warn(module.__name__, self.module)
        sys.modules[module.__name__] = importlib.import_module(self.module)


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{old} is {new} now; the old name goes with 0.2", DeprecationWarning, stacklevel=2)
