"""From the recipe's data section to preprocessing and splits, for every task on labelled images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.data.io.file_stats import SIZE
from toolkit.data.loading.bad_images import OnBadImage
from toolkit.data.loading.image_cache import Keep
from toolkit.data.multi_hot import MultiHot
from toolkit.data.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from toolkit.data.sources import Found, ImageArrays, ImageFiles
from toolkit.data.sources.index import require_two_classes
from toolkit.data.sources.missing import listed
from toolkit.data.splits.early_subsample import split_within
from toolkit.data.splits.manifest import MANIFEST, apply_manifest, read_manifest, write_cut
from toolkit.data.splits.splits import held_out, split_found
from toolkit.errors import ExitCode, VtkError
from toolkit.labelled_images.chosen_classes import load_chosen, told_aside
from toolkit.labelled_images.data_sections import ImageData, MeanStd
from toolkit.labelled_images.model_sections import BackboneModel
from toolkit.types.data import BatchTransform

if TYPE_CHECKING:
    from toolkit.labelled_images.model_sections import ModelChoice
    from toolkit.models.library import Preprocessing
    from toolkit.run.run import Run

__all__ = [
    "batch_transform",
    "build_preprocess",
    "cut_for",
    "fingerprint",
    "fresh_cut",
    "keeping",
    "on_bad_image",
    "tell_kept",
]

_HALF = [0.5]
_AT_ONCE = 4096


def build_preprocess(data: ImageData, model: ModelChoice, *, in_memory: bool) -> Preprocess:
    """What evaluation and prediction do to an image. ``in_memory``: images that come in one size already."""
    size, wanted = data.image_size, _wanted(data, model)
    geometry = _geometry(data, wanted, in_memory=in_memory)
    resize = geometry["resize"]
    if resize is not None and resize < size and not geometry.get("fill"):
        raise VtkError(
            f"images whose short side is brought to {resize} pixels have no centre of {size} pixels",
            place="data.resize",
            hint=f"set data.resize to {size} or more, or to squeeze",
            code=ExitCode.RECIPE,
        )
    mean, std = _mean_std(data, wanted)
    return Preprocess(height=size, width=size, channels=1 if data.grey else 3, mean=mean, std=std, **geometry)


def _wanted(data: ImageData, model: ModelChoice) -> Preprocessing | None:
    """What the backbone's weights want, None for a network without any; not looked up where the recipe says it all."""
    if not isinstance(model, BackboneModel) or "auto" not in (data.resize, data.normalize, data.interpolation):
        return None
    from toolkit.models.backbones import preprocessing

    return preprocessing(model.arch, data.image_size)


def _geometry(data: ImageData, wanted: Preprocessing | None, *, in_memory: bool) -> dict[str, Any]:
    """How evaluated images are resized and cut, as fields of :class:`Preprocess`."""
    chosen = data.interpolation
    auto = wanted.interpolation if wanted is not None else "area"
    found: dict[str, Any] = {"interpolation": auto if chosen == "auto" else chosen}
    if data.resize == "squeeze" or (data.resize == "auto" and in_memory):
        return found | {"resize": None}
    if data.resize != "auto":
        return found | {"resize": data.resize}
    if wanted is None:
        return found | {"resize": round(data.image_size * 8 / 7)}
    found |= {"resize": wanted.resize, "crop_mode": wanted.crop_mode}
    if wanted.crop_mode == "border":  # as timm and torchvision fill what the picture leaves free
        found["fill"] = [round(255 * level) for level in wanted.mean]
    elif wanted.resize < data.image_size:
        found["fill"] = [0, 0, 0]
    return found


def _mean_std(data: ImageData, wanted: Preprocessing | None) -> tuple[list[float], list[float]]:
    choice = data.normalize
    if isinstance(choice, MeanStd):
        return _own_mean_std(choice, 1 if data.grey else 3)
    if choice == "auto" and wanted is not None:
        return list(wanted.mean), list(wanted.std)
    if choice == "imagenet" and data.grey:
        raise VtkError(
            "ImageNet's mean and deviation are those of colour images, and the recipe asks for grey ones",
            place="data.normalize",
            hint="set data.normalize to half, or give one mean and one std",
            code=ExitCode.RECIPE,
        )
    if choice == "imagenet":
        return list(IMAGENET_MEAN), list(IMAGENET_STD)
    return _HALF, _HALF


def _own_mean_std(choice: MeanStd, channels: int) -> tuple[list[float], list[float]]:
    for key in ("mean", "std"):
        count = len(getattr(choice, key))
        if count not in (1, channels):
            raise VtkError(
                f"{count} numbers for images of {channels} channels",
                place=f"data.normalize.{key}",
                hint=f"give one number, or {channels}",
                code=ExitCode.RECIPE,
            )
    size = max(len(choice.mean), len(choice.std))
    return (choice.mean * size)[:size], (choice.std * size)[:size]


def batch_transform(data: ImageData, preprocess: Preprocess, num_classes: int) -> BatchTransform:
    """What happens to whole batches on the device: normalising, and for training erasing and mixing."""
    if data.erase is None and data.mix is None:
        return preprocess.normalize()
    from toolkit.data.augment.mixing import Chain, CutMix, Mixup, OneOf, RandomErasing

    steps: list[BatchTransform] = [preprocess.normalize()]
    if data.erase is not None:
        erase = data.erase
        steps.append(RandomErasing(erase.probability, (erase.smallest, erase.largest), erase.fill))
    if data.mix is not None:
        mixers: list[BatchTransform] = []
        if data.mix.mixup is not None:
            mixers.append(Mixup(data.mix.mixup, num_classes))
        if data.mix.cutmix is not None:
            mixers.append(CutMix(data.mix.cutmix, num_classes))
        steps.append(OneOf(mixers, data.mix.probability))
    return Chain(steps)


def cut_for(run: Run, recipe: Any) -> Found:
    """The splits of a run: one that has a manifest keeps to it, another one cuts and writes its own.

    Files that are gone since then are left out like others that cannot be read, where the recipe leaves such out and
    within its limit. They keep their place in each epoch, so a resumed run goes on as if it had not been stopped when
    they vanished: the same batches, each without them.

    Args:
        recipe: ``recipe.data`` is an :class:`ImageData` with a ``source``.

    Raises:
        VtkError: the manifest of a run that goes on, or is evaluated, is gone; a new cut would be another one.
    """
    manifest = None if run.directory is None else run.directory / MANIFEST
    run.seal_file(MANIFEST)
    if manifest is not None and manifest.is_file():
        skips = on_bad_image(recipe.data, run.trained_meta) == "skip"
        again = load_chosen(recipe.data, place_of=run.resolved.place_of, listed_only=skips)
        may_miss = recipe.data.bad_image_limit if skips else 0.0
        cut = apply_manifest(again, read_manifest(manifest), may_miss=may_miss)
        return cut.leaving(again.aside)
    found = load_chosen(recipe.data, place_of=run.resolved.place_of)
    require_two_classes(found.train)
    if manifest is not None and (run.resumed or run.trained_meta is not None):
        _require_no_cut(found, recipe.data, manifest)
    cut = fresh_cut(recipe, found, run.say)
    if manifest is not None and run.trained_meta is None:
        _tell_ignored(found, run.say)
        write_cut(manifest, cut, run.seed)
    return _with_ignored(cut, found).leaving(found.aside)


def _with_ignored(cut: Found, found: Found) -> Found:
    """The cut, still with what the source passed over."""
    if isinstance(cut.train, ImageFiles) and isinstance(found.train, ImageFiles):
        return Found(replace(cut.train, ignored=found.train.ignored), cut.val, cut.test)
    return cut


def _require_no_cut(found: Found, data: ImageData, manifest: Path) -> None:
    """Only parts that the source brings along, and that are used whole, can be had again without the manifest."""
    if held_out(found, data.split) or data.limit is not None:
        raise VtkError(
            "the list of which image is in which split is gone; a new cut could move images of one into another",
            place=str(manifest),
            hint=f"bring {MANIFEST} back, or start a new run",
            code=ExitCode.NO_INPUT,
        )


def _tell_ignored(found: Found, say: Callable[[str], None]) -> None:
    """Files that a source passed over, a photograph in HEIC among notes and tables, must not go unnoticed."""
    if found.aside:
        say(f"note: {told_aside(found.aside)}")
    parts = [index for index in (found.train, found.val, found.test) if isinstance(index, ImageFiles)]
    ignored = [item for index in parts for item in index.ignored]
    files = [path for path, _ in ignored if not path.endswith("/")]
    if files:
        what = "1 file is" if len(files) == 1 else f"{len(files):,} files are"
        say(f"note: {what} left out, in no class folder or no picture by name: {listed(files)}")
    folders = [f"{path} ({reason})" for path, reason in ignored if path.endswith("/")]
    if folders:
        what = "1 folder is" if len(folders) == 1 else f"{len(folders):,} folders are"
        say(f"note: {what} left out: {listed(folders)}")


def fresh_cut(recipe: Any, found: Found, say: Callable[[str], None] = lambda _line: None) -> Found:
    """What a source found, cut as the recipe's data section says, with no manifest of a run to keep to."""
    data, seed = recipe.data, recipe.seed
    if data.limit is not None:
        return split_within(found, data.split, data.limit, seed, source=data.source, say=say)
    return split_found(found, data.split, seed, source=data.source, say=say)


def on_bad_image(data: ImageData, trained_meta: Mapping[str, Any] | None) -> OnBadImage:
    """What the datasets do with files that cannot be read.

    Training obeys the recipe. An evaluation of a finished model judges what can be read, within the recipe's limit.
    """
    return data.on_bad_image if trained_meta is None else "skip"


def keeping(recipe: Any, run: Run) -> Keep:
    """What the run keeps of decoded pictures; a check only tells."""
    evaluates = run.trained_meta is not None
    return Keep(
        recipe.data.cache,
        recipe.data.shrink,
        processes=recipe.loader.kind == "process",
        writes=(run.directory is not None or evaluates) and not run.dry,
        evaluates=evaluates,
    )


def tell_kept(keep: Keep, run: Run, plan: dict[str, Any]) -> dict[str, Any]:
    """Says what is kept where, and adds it to what ``vtk check`` shows."""
    if run.directory is not None or keep.evaluates:
        for split, what in keep.plan.items():
            run.say(f"cache: {split} images {what}")
    return plan | ({"cache": keep.plan} if keep.plan else {})


def fingerprint(found: Found) -> str:
    """Names the training data: SHA-256 over paths, file sizes and labels, or over the pixels of images in memory.

    The size of a file that is gone is -1, so that a recipe which leaves such files out can go on.
    """
    train = found.train
    digest = hashlib.sha256("\0".join(train.classes).encode(errors="surrogateescape"))
    if isinstance(train, ImageArrays):
        digest.update(np.ascontiguousarray(train.images).data)
    else:
        sizes = train.states[:, SIZE]
        for start in range(0, len(train), _AT_ONCE):
            some = zip(train.paths[start : start + _AT_ONCE], sizes[start : start + _AT_ONCE].tolist(), strict=True)
            lines = "".join([f"{path}\0{size}\0" for path, size in some])
            digest.update(lines.encode(errors="surrogateescape"))
    targets: Any = train.targets
    if targets is not None:
        for rows in targets.blocks() if isinstance(targets, MultiHot) else [targets]:
            digest.update(np.ascontiguousarray(rows).data)
    return digest.hexdigest()
