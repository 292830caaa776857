"""Faults of the labels: classes that are few, unequal, or not the same in every split."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from toolkit.types.finding import Case, Finding, counted
from toolkit.types.survey import Survey, SurveyKeys

__all__ = ["class_counts", "class_faults"]

Counts = Mapping[str, Mapping[str, int]]

FEW = 10
"""Training pictures below which a class is hardly learnt."""

UNEQUAL = 10.0
"""The largest class to the smallest, from which on it is worth doing something."""

_NONE = SurveyKeys()


def class_counts(survey: Survey) -> dict[str, dict[str, int]]:
    """Class → split → pictures, the classes in the order of the data set, training first."""
    order = dict.fromkeys(label for part in survey.parts.values() for label in part.classes)
    counts = {
        split: Counter(label for labels in part.each() for label in labels) for split, part in survey.parts.items()
    }
    return {label: {split: counts[split][label] for split in survey.parts} for label in order}


def class_faults(counts: Counts, keys: SurveyKeys = _NONE) -> Iterator[Finding]:
    """What is wrong with the classes. ``keys``: those that advice may name."""
    if len(counts) < 2:
        message = "there is only one class" if counts else "there is no class"
        yield Finding("one-class", "error", message, "Telling classes apart takes two or more.")
    yield from _unequal_splits(counts)
    yield from _unequal_sizes(counts, keys.sampler)
    yield from _alike(counts)


def _unequal_splits(counts: Counts) -> Iterator[Finding]:
    unknown, absent = [], []
    for label, per_split in counts.items():
        held = [split for split, count in per_split.items() if count]
        if held and "train" in per_split and not per_split["train"]:
            unknown.append(Case((), f"{label}: only in {', '.join(held)}"))
        elif held and len(held) < len(per_split):
            lacking = ", ".join(split for split in per_split if split not in held)
            absent.append(Case((), f"{label}: not in {lacking}"))
    if unknown:
        message = counted(len(unknown), "class is", "classes are") + " not in the training split"
        remedy = "Often a folder spelt in another way. Rename it, add training pictures, or take the class out."
        yield Finding("class-not-in-training", "error", message, remedy, tuple(unknown))
    if absent:
        message = counted(len(absent), "class is", "classes are") + " missing from a held-out split"
        remedy = "Nothing is known of how well the model does on it. Move some pictures over."
        yield Finding("class-not-held-out", "warning", message, remedy, tuple(absent))


def _unequal_sizes(counts: Counts, sampler: str | None) -> Iterator[Finding]:
    training = {label: per_split["train"] for label, per_split in counts.items() if per_split.get("train")}
    few = tuple(Case((), f"{label}: {count}") for label, count in training.items() if count < FEW)
    if few:
        message = counted(len(few), "class has", "classes have") + f" fewer than {FEW} training pictures"
        yield Finding("small-class", "warning", message, "Add pictures, or join it with another class.", few)
    if len(training) < 2:
        return
    largest, smallest = max(training, key=training.__getitem__), min(training, key=training.__getitem__)
    ratio = training[largest] / training[smallest]
    if ratio >= UNEQUAL:
        yield Finding(
            "imbalance",
            "warning",
            f"the largest class has {ratio:.0f} times the pictures of the smallest",
            "Accuracy says little here; look at each class's recall."
            + (f" The recipe can even it out: {sampler}, or weights in the loss." if sampler else ""),
            (Case((), f"{largest}: {training[largest]:,}"), Case((), f"{smallest}: {training[smallest]:,}")),
        )


def _alike(counts: Counts) -> Iterator[Finding]:
    spelt: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        spelt[re.sub(r"[\W_]+", "", label).casefold().removesuffix("s") or label].append(label)
    cases = tuple(Case((), " / ".join(labels)) for labels in spelt.values() if len(labels) > 1)
    if cases:
        message = counted(len(cases), "class name is", "class names are") + " spelt in two ways"
        remedy = "If they mean the same, give them one name."
        yield Finding("class-spelt-twice", "warning", message, remedy, cases)
