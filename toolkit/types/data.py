"""What a task hands to the core as its data, and how one sample or batch is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, Self, overload

import numpy as np
import numpy.typing as npt

from toolkit.types.stamps import Stamps

_MASK = (1 << 64) - 1


class Batch(NamedTuple):
    """One batch. The core feeds ``inputs`` to the model and hands the whole batch to the loss."""

    inputs: Any
    targets: Any = None


class SampleIndex(int):
    """A sample's position in its dataset that also names the draw: seed and epoch.

    It is an ``int``, so any map-style dataset can be indexed with it. A dataset that augments takes its randomness
    from :meth:`rng` and from nowhere else; then workers, prefetching and resuming cannot change a sample.
    """

    seed: int
    epoch: int

    def __new__(cls, index: int, *, seed: int = 0, epoch: int = 0) -> Self:
        self = super().__new__(cls, index)
        self.seed = seed
        self.epoch = epoch
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _sample_index, (int(self), self.seed, self.epoch)

    @property
    def key(self) -> int:
        """(seed, epoch, index) as one number of 128 bits."""
        return ((self.seed & _MASK) << 64) | ((self.epoch & 0xFFFFFFFF) << 32) | (int(self) & 0xFFFFFFFF)

    def rng(self) -> np.random.Generator:
        """A generator that depends on (seed, epoch, index) alone."""
        return np.random.Generator(np.random.Philox(key=self.key))


def _sample_index(index: int, seed: int, epoch: int) -> SampleIndex:
    return SampleIndex(index, seed=seed, epoch=epoch)


class IndexBatch(Sequence[SampleIndex]):
    """The samples of one batch, named but not yet fetched: what ``__getitems__`` receives.

    A sequence of :class:`SampleIndex`, made only as they are asked for. A dataset that fetches whole batches
    takes ``indices`` (int64, shape (n,)), ``seed`` and ``epoch`` as they are.
    """

    __slots__ = ("epoch", "indices", "seed")

    def __init__(self, indices: npt.NDArray[np.int64], *, seed: int = 0, epoch: int = 0) -> None:
        self.indices = indices
        self.seed = seed
        self.epoch = epoch

    @classmethod
    def of(cls, indices: Sequence[int]) -> IndexBatch:
        """Any sequence of indices of one pass; plain integers get seed 0 and epoch 0."""
        if isinstance(indices, IndexBatch):
            return indices
        first = indices[0] if len(indices) else 0
        return cls(
            np.array(indices, dtype=np.int64),
            seed=getattr(first, "seed", 0),
            epoch=getattr(first, "epoch", 0),
        )

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, place: int) -> SampleIndex: ...
    @overload
    def __getitem__(self, place: slice) -> IndexBatch: ...
    def __getitem__(self, place: int | slice) -> SampleIndex | IndexBatch:
        if isinstance(place, slice):
            return IndexBatch(self.indices[place], seed=self.seed, epoch=self.epoch)
        return SampleIndex(self.indices[place], seed=self.seed, epoch=self.epoch)

    def __repr__(self) -> str:
        return f"IndexBatch({self.indices.tolist()}, seed={self.seed}, epoch={self.epoch})"


@dataclass(frozen=True)
class BatchKey:
    """Names the draw of one batch, for transforms that work on whole batches.

    ``step`` counts optimizer steps from the start of the run, ``part`` the batches within one of them.
    """

    seed: int
    epoch: int
    step: int
    training: bool
    part: int = 0

    def rng(self) -> np.random.Generator:
        """A generator that depends on (seed, step, part) and on whether the batch is a training batch."""
        place = ((self.part & 0x7FFF) << 48) | (self.step & 0xFFFF_FFFF_FFFF)
        key = ((self.seed & _MASK) << 64) | (int(self.training) << 63) | place
        return np.random.Generator(np.random.Philox(key=key))


class BatchTransform(Protocol):
    """Works on a whole batch on the device, e.g. normalises uint8 images.

    Must not change a batch that is not a training batch other than deterministically.
    """

    def __call__(self, batch: Any, key: BatchKey, /) -> Any: ...


@dataclass
class Data:
    """What ``vtk_data`` returns.

    Args:
        train, val, test: map-style datasets (``__len__`` and ``__getitem__``), indexed with :class:`SampleIndex`.
            A dataset that has ``__getitems__(indices)`` returns a whole, already collated batch from it.
        meta: JSON-able facts that outlive the data: classes, sizes, preprocessing. Saved in the bundle and handed back
            to ``vtk_model`` and ``vtk_predict``, where no dataset exists.
        transform: runs on the device after the batch was copied there.
        collate: joins samples to a batch; the default is torch's ``default_collate``.
        sample_weights: relative frequency with which each training sample is drawn (with replacement), or None.
        fingerprint: names the training data's content; saved in the bundle.
        stamps: the samples of each split, so that a resumed run can tell which of them have changed since it began;
            without it only the fingerprint tells that something has.
        plan: what ``vtk check`` shows of the data, e.g. ``{"classes": {"cat": 80}}``.
        on_bad_image: what becomes of a sample for which ``dataset[i]`` raises an :class:`~toolkit.ImageError`, as
            :func:`~toolkit.read_image` and :func:`~toolkit.read_mask` do: ``error`` stops the run; ``skip`` leaves it
            out, and its batch has one sample less. Datasets with ``__getitems__`` see to this themselves.
        bad_image_limit: share of a split's samples that may be left out, rounded up to whole samples; beyond it the
            run stops.
        restored: set by the core when weights come from a bundle or a checkpoint, so that ``vtk_model`` fetches none.
    """

    train: Any = None
    val: Any = None
    test: Any = None
    meta: dict[str, Any] = field(default_factory=dict)
    transform: BatchTransform | None = None
    collate: Callable[[list[Any]], Any] | None = None
    sample_weights: Sequence[float] | None = None
    fingerprint: str | None = None
    stamps: Mapping[str, Stamps] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    on_bad_image: Literal["error", "skip"] = "error"
    bad_image_limit: float = 0.01
    restored: bool = False
    # Who gave them, for messages; set by the core, and no field.
    owner = "vtk_data"
    # Under ``vtk check`` weights that are here are read all the same, to learn whether a run could; also no field.
    checked = False
