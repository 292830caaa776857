"""From the recipe's source to the datasets of each split, and what a bundle must remember of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit import Data, ExitCode, VtkError
from toolkit.data import EpochDraw, Found, Index, MultiHot, joined, label_rarity, listed, resampled
from toolkit.labelled_images import cut_for, labelled_data, labelled_plan, load_chosen, told_aside
from vtk_multilabel.csv_labels import CsvLabels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit import Run
    from vtk_multilabel.config import MultilabelRecipe

_SPLITS = ("train", "val", "test")


def build_data(recipe: MultilabelRecipe, run: Run) -> Data:
    """Datasets, labels, preprocessing. Training images are augmented and resampled, all others are not."""
    trained = run.trained_meta
    if trained is not None and run.directory is None:
        found = _all_as_test(recipe, run, trained["classes"])
    else:
        found = cut_for(run, recipe)
    _require_tunable(recipe, found, trained)
    _warn_of_double_weights(recipe, run)
    return labelled_data(
        recipe,
        run,
        found,
        learned=_learned(recipe, found.train, trained),
        plan=labelled_plan(recipe, found, _positives, **{"images without labels": _bare(found)}),
        drawn=lambda dataset: _training_set(recipe, found.train, dataset),
    )


def _learned(recipe: MultilabelRecipe, train: Index, trained: Mapping[str, Any] | None) -> dict[str, Any]:
    """Facts of the training data; those of a trained model stand, whatever data it meets later."""
    if trained is not None:
        return {key: trained[key] for key in ("positives", "images", "thresholds")}
    assert train.targets is not None
    return {
        "positives": train.targets.sum(axis=0).tolist(),
        "images": len(train),
        "thresholds": _fixed_thresholds(recipe, train.classes),
    }


def _fixed_thresholds(recipe: MultilabelRecipe, classes: Sequence[str]) -> list[float]:
    """One for each label; what is to be tuned starts from 0.5."""
    chosen = recipe.thresholds
    if isinstance(chosen, float):
        return [chosen] * len(classes)
    named = chosen if isinstance(chosen, dict) else {}
    require_labels(named, classes, "thresholds")
    return [named.get(name, 0.5) for name in classes]


def require_labels(named: Mapping[str, Any], classes: Sequence[str], place: str) -> None:
    """A mapping by label names must name labels that there are."""
    unknown = [name for name in named if name not in classes]
    if unknown:
        raise VtkError(
            f"there is no label {listed(unknown)}",
            place=place,
            hint=f"the labels are {listed(classes)}",
            code=ExitCode.RECIPE,
        )


def _require_tunable(recipe: MultilabelRecipe, found: Found, trained: Any) -> None:
    if recipe.thresholds == "tuned" and found.val is None and trained is None:
        raise VtkError(
            "thresholds are tuned on validation data, and there are none",
            place="thresholds",
            hint="set data.split.val, or fix the thresholds: `thresholds: 0.5`",
            code=ExitCode.RECIPE,
        )


def _warn_of_double_weights(recipe: MultilabelRecipe, run: Run) -> None:
    if recipe.data.sampler != "none" and getattr(recipe.loss, "pos_weight", "none") != "none":
        run.say(
            "warning: data.sampler and loss.pos_weight both favour rare labels; together they overdo it. "
            "Probabilities will be too high."
        )


def _training_set(recipe: MultilabelRecipe, index: Index, dataset: Any) -> Any:
    if recipe.data.sampler == "none":
        return dataset
    assert index.targets is not None
    return resampled(dataset, EpochDraw("weighted", weights=label_rarity(index.targets)))


def _named_source(run: Run, recipe: MultilabelRecipe) -> Any:
    """The source that flags name: beside another table, the recipe's tables of held-out images are not asked for."""
    source = recipe.data.source
    if not str(run.resolved.origins.get("data.source.file", "")).startswith("--"):
        return source
    return source.model_copy(update={"val_file": None, "test_file": None})


def _all_as_test(recipe: MultilabelRecipe, run: Run, classes: Sequence[str]) -> Found:
    """Every image of the source, whatever split it comes in, under the labels of a trained model."""
    source = _named_source(run, recipe)
    found = load_chosen(recipe.data.model_copy(update={"source": source}), require_all=False)
    if found.aside:
        run.say(f"note: {told_aside(found.aside)}")
    _require_columns(source, classes)
    parts = [aligned(part, tuple(classes)) for part in (found.train, found.val, found.test) if part is not None]
    everything = joined(parts, classes)
    return Found(everything, test=everything).leaving(found.aside)


def _require_columns(source: Any, classes: Sequence[str]) -> None:
    """A table with a column for each label says nothing of a label without one, which is not that it is absent."""
    declared = source.declared() if isinstance(source, CsvLabels) else None
    missing = [] if declared is None else [name for name in classes if name not in declared]
    if missing:
        raise VtkError(
            f"the table has no column for the label{'s' * (len(missing) > 1)} {listed(missing)}",
            place=source.file,
            hint="add the column, with 0 where the label is absent; the model's figures are over all its labels",
            code=ExitCode.DATA,
        )


def aligned(index: Index, classes: tuple[str, ...]) -> Index:
    """The same images under another map of labels, matched by name.

    Raises:
        VtkError: an image has a label that the other map has not.
    """
    assert index.targets is not None
    position = {name: place for place, name in enumerate(classes)}
    given = MultiHot.of(index.targets)
    used = given.sum(axis=0)
    unknown = [name for place, name in enumerate(index.classes) if name not in position and used[place]]
    if unknown:
        raise VtkError(
            f"the data have labels that the model does not know: {listed(unknown)}",
            hint=f"it knows {listed(classes)}",
        )
    positions = np.array([position.get(name, -1) for name in index.classes], np.int64)
    targets: Any = given.renumbered(positions, len(classes))
    return replace(index, targets=targets, classes=classes)


def _positives(index: Index) -> Any:
    """Images of each label."""
    assert index.targets is not None
    return index.targets.sum(axis=0)


def _bare(found: Found) -> dict[str, int]:
    """Images of each split that have none of the labels."""
    parts = {name: index for name in _SPLITS if (index := getattr(found, name)) is not None}
    return {name: int((index.targets.sum(axis=1) == 0).sum()) for name, index in parts.items()}
