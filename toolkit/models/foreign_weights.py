"""Weights of other programs: the same tensors under other names, fitted to a model's own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from torch import Tensor

__all__ = ["by_shapes", "without_prefixes"]

# What DistributedDataParallel, torch.compile, Lightning modules, EMA wrappers and mmpretrain put before a name.
_PREFIXES = ("module.", "_orig_mod.", "model.", "ema_model.", "ema.", "net.", "backbone.", "encoder.", "head.")
_COUNTER = "num_batches_tracked"
_KINDS = ("weight", "bias", "running_mean", "running_var")


def without_prefixes(state: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """The state with wrappers' prefixes taken off each name that is not the model's own, where no two fall together."""
    renamed = {name: _stripped(name, own) for name in state}
    if len(set(renamed.values())) < len(renamed):
        return dict(state)
    return {renamed[name]: tensor for name, tensor in state.items()}


def _stripped(name: str, own: Collection[str]) -> str:
    short = name
    while short not in own:
        prefix = next((prefix for prefix in _PREFIXES if short.startswith(prefix)), None)
        if prefix is None:
            return short
        short = short.removeprefix(prefix)
    return short


def by_shapes(state: Mapping[str, Tensor], own: Mapping[str, Tensor], heads: Iterable[str]) -> dict[str, Tensor] | None:
    """The state under the model's names, matched by order and shape; None where that is not one to one.

    Each tensor must have the shape, and the last part of the name (``weight``, ``running_var``), of the model's at its
    place; those of the head may have another first side. Counters of batches are left as they are.
    """
    ours = [name for name in own if not name.endswith(_COUNTER)]
    theirs = [name for name in state if not name.endswith(_COUNTER)]
    if len(ours) != len(theirs):
        return None
    heads = tuple(f"{head}." for head in heads)
    for mine, other in zip(ours, theirs, strict=True):
        skip = 1 if mine.startswith(heads) else 0
        kind = mine.rpartition(".")[2]
        same_kind = other.rpartition(".")[2] == kind if kind in _KINDS else True
        if not same_kind or own[mine].shape[skip:] != state[other].shape[skip:]:
            return None
    counters = {name: tensor for name, tensor in own.items() if name.endswith(_COUNTER)}
    return counters | {mine: state[other] for mine, other in zip(ours, theirs, strict=True)}
