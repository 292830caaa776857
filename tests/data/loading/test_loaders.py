"""The loader: the same batches whoever fetches them, errors in order, and no worker left behind."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit.data.augment.albumentations_pipeline import AugmentPipeline
from toolkit.data.augment.fused_affine import FusedPipeline, augment_transform
from toolkit.data.loading.datasets import FileDataset
from toolkit.data.loading.loaders import build_loader, choose_workers
from toolkit.data.preprocess import Preprocess
from toolkit.errors import VtkError
from toolkit.types.data import Batch, IndexBatch, SampleIndex

MODES: list[dict[str, Any]] = [
    {"workers": 0},
    {"workers": 1, "kind": "thread"},
    {"workers": 3, "kind": "thread", "prefetch": 4},
    {"workers": 2, "kind": "process"},
]


class Samples:
    """One at a time, each with numbers from its own draw."""

    thread_safe = True

    def __init__(self, length: int = 50, broken: int | None = None, error: Exception | None = None) -> None:
        self.length, self.broken, self.error = length, broken, error

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: SampleIndex) -> tuple[Any, int]:
        if self.error is not None and int(index) == self.broken:
            raise self.error
        return index.rng().random(3).astype(np.float32), int(index)


class Whole(Samples):
    """A batch at a time."""

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        assert isinstance(indices, IndexBatch)
        rows = np.stack([self[index][0] for index in indices])
        return Batch(torch.from_numpy(rows), torch.from_numpy(indices.indices))


class Listed(Samples):
    """Asked for a batch, gives its samples, as torch's own Subset does."""

    def __getitems__(self, indices: Sequence[SampleIndex]) -> list[Any]:
        return [self[index] for index in indices]


def fetched(dataset: Any, mode: dict[str, Any], number: int, start: int, count: int) -> list[Any]:
    with build_loader(dataset, batch_size=8, seed=5, shuffle=True, **mode) as loader:
        batches = loader.batches(number, start)
        taken = list(islice(batches, count))
        batches.close()
        return taken + list(loader.once(number + 1))


def assert_equal(one: list[Any], other: list[Any]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("mode", MODES[1:], ids=str)
@pytest.mark.parametrize("dataset", [Samples(), Whole(), Listed()], ids=["samples", "whole", "listed"])
def test_every_way_of_fetching_gives_the_same_batches(mode: dict[str, Any], dataset: Any) -> None:
    """Over the ends of passes, from the middle of one, and after leaving a generator early."""
    assert_equal(fetched(dataset, MODES[0], 1, 3, 17), fetched(dataset, mode, 1, 3, 17))


FLIP = [{"name": "RandomResizedCrop", "size": [24, 24]}, {"name": "HorizontalFlip"}]
BLUR = [{"name": "HorizontalFlip"}, {"name": "GaussianBlur"}]


@pytest.mark.parametrize(("steps", "kind"), [(FLIP, FusedPipeline), (BLUR, AugmentPipeline)], ids=["fused", "library"])
def test_processes_need_no_fork(steps: list[dict[str, Any]], kind: type, tmp_path: Path) -> None:
    """After they have been used here: what a thread of this process has made is not sent along."""
    paths = [tmp_path / f"{number}.png" for number in range(20)]
    for path in paths:
        pixels = np.random.default_rng(int(path.stem)).integers(0, 255, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    transform = augment_transform(steps, Preprocess(height=24, width=24, resize=24))
    assert isinstance(transform, kind)
    dataset = FileDataset(paths, np.arange(20), transform)
    spawned = {"workers": 1, "kind": "process", "start_method": "spawn"}
    assert_equal(fetched(dataset, MODES[0], 0, 0, 4), fetched(dataset, spawned, 0, 0, 4))


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_run_resumed_in_the_middle_sees_what_it_would_have_seen(mode: dict[str, Any]) -> None:
    with build_loader(Whole(), batch_size=8, seed=2, shuffle=True, **mode) as loader:
        whole = list(islice(loader.batches(), 20))
        assert_equal(whole[9:], list(islice(loader.batches(9 // len(loader), 9 % len(loader)), 11)))


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_torchs_global_generator_is_left_alone(mode: dict[str, Any]) -> None:
    before = torch.random.get_rng_state()
    with build_loader(Samples(), batch_size=8, shuffle=True, **mode) as loader:
        list(loader.once())
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_an_error_comes_where_its_batch_would_have_come(mode: dict[str, Any]) -> None:
    error = VtkError("the file is broken", place="cat.7.jpg", hint="mend it")
    with build_loader(Samples(40, broken=25, error=error), batch_size=4, **mode) as loader:
        batches = loader.once()
        assert [int(next(batches)[1][0]) for _ in range(6)] == [0, 4, 8, 12, 16, 20]
        with pytest.raises(VtkError) as caught:
            next(batches)
    assert (caught.value.place, caught.value.hint) == ("cat.7.jpg", "mend it")


@pytest.mark.parametrize("mode", MODES[:3], ids=str)
def test_a_bug_in_a_dataset_names_its_samples(mode: dict[str, Any]) -> None:
    with (
        build_loader(Samples(40, broken=25, error=KeyError("label")), batch_size=4, **mode) as loader,
        pytest.raises(KeyError) as caught,
    ):
        list(loader.once())
    assert "24, 25, 26, 27" in caught.value.__notes__[0]


def test_a_bug_in_a_dataset_names_its_samples_from_a_process() -> None:
    dataset = Samples(40, broken=25, error=KeyError("label"))
    with (
        build_loader(dataset, batch_size=4, workers=1, kind="process") as loader,
        pytest.raises(KeyError, match=r"24, 25, 26, 27"),
    ):
        list(loader.once())


class Deadly(Samples):
    def __getitem__(self, index: SampleIndex) -> Any:
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_is_reported() -> None:
    with (
        build_loader(Deadly(), batch_size=4, workers=1, kind="process") as loader,
        pytest.raises(VtkError, match="loader process died") as caught,
    ):
        list(loader.once())
    assert "loader.workers" in str(caught.value.hint)
    assert "it was at, or close to: sample 0, sample 1, sample 2, sample 3" in caught.value.message


def loader_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("vtk-loader")}


def test_threads_end_with_their_loader() -> None:
    before = loader_threads()
    loader = build_loader(Samples(1000), batch_size=4, workers=3, kind="thread")
    batches = loader.batches()
    next(batches)
    assert loader_threads() - before
    batches.close()
    loader.close()
    assert not loader_threads() - before


def test_threads_run_ahead_by_no_more_than_asked() -> None:
    class Counting(Samples):
        fetched = 0

        def __getitem__(self, index: SampleIndex) -> Any:
            Counting.fetched += 1
            return super().__getitem__(index)

    with build_loader(Counting(10_000), batch_size=1, workers=2, prefetch=3, kind="thread") as loader:
        batches = loader.batches()
        for _ in range(10):
            next(batches)
        assert Counting.fetched <= 10 + 2 * 3
        batches.close()


def test_what_was_fetched_ahead_is_dropped_when_a_generator_is_left() -> None:
    allowed = threading.Semaphore(1)
    fetched: list[int] = []

    class Gated(Samples):
        def __getitem__(self, index: SampleIndex) -> Any:
            allowed.acquire()
            fetched.append(int(index))
            return int(index)

    with build_loader(Gated(100), batch_size=1, workers=1, prefetch=20, kind="thread") as loader:
        first = loader.batches()
        next(first)
        first.close()
        allowed.release(100)
        second = loader.batches()
        next(second)
        second.close()
    assert fetched[0] == 0
    assert 0 in fetched[1:3]  # at most the batch that was under way came between


def test_own_collate_joins_samples() -> None:
    with build_loader(Samples(6), batch_size=3, collate=lambda samples: sorted(i for _, i in samples)) as loader:
        assert list(loader.once()) == [[0, 1, 2], [3, 4, 5]]


class InMemory(Samples):
    in_memory = True


class Foreign:
    """Says nothing about itself."""

    def __len__(self) -> int:
        return 1000


@pytest.mark.parametrize(
    ("dataset", "workers", "kind", "batches", "expected"),
    [
        (InMemory(), "auto", "auto", 100, (0, "thread")),
        (InMemory(), 2, "auto", 100, (2, "thread")),
        (Foreign(), "auto", "auto", 2, (0, "process")),
        (Foreign(), 3, "auto", 100, (3, "process")),
        (Foreign(), 3, "thread", 100, (3, "thread")),
        (Samples(), 0, "process", 100, (0, "process")),
    ],
)
def test_choice_of_workers(dataset: Any, workers: Any, kind: Any, batches: int, expected: tuple[int, str]) -> None:
    assert choose_workers(dataset, workers, kind, batches=batches) == expected


def test_files_get_a_thread_for_each_core() -> None:
    count, kind = choose_workers(Samples(), "auto", "auto", batches=100)
    assert kind == "thread"
    assert 1 <= count <= 16
    with build_loader(Samples(), batch_size=4, workers=2) as loader:
        assert loader.describe() == "by 2 threads"


class Uneven:
    """Samples that cannot be joined."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.zeros(int(index) + 1)


def test_an_error_within_a_process_is_not_told_as_its_death() -> None:
    with build_loader(Uneven(), batch_size=4, workers=1, kind="process") as loader:
        with pytest.raises(RuntimeError, match="stack expects each tensor to be equal size") as caught:
            list(loader.once())
        assert loader.death(caught.value) is None
