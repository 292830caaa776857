"""Samples that cannot be read, of a task that reads its files one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from toy_task import NoisyNumbers

from toolkit import ImageError, read_image, read_mask
from toolkit.data.loading.loaders import Loader, build_loader
from toolkit.errors import VtkError
from toolkit.run.loop import fit
from toolkit.run.run import Run

MakeRun = Callable[..., Run]
BAD = (3, 11)


class Numbers(NoisyNumbers):
    """The toy's numbers, each after a look at a file; the files of ``bad`` are broken. Batches are dicts."""

    def __init__(self, folder: Path, count: int, bad: tuple[int, ...]) -> None:
        super().__init__(count, 0.1)
        self.bad, self.broken = bad, folder / "broken.jpg"
        self.broken.write_bytes(b"\xff\xd8\xff and no more")

    def __getitem__(self, index: Any) -> dict[str, torch.Tensor]:
        if index in self.bad:
            read_image(self.broken)
        inputs, targets = super().__getitem__(index)
        return {"input": inputs, "target": targets}


def loader(folder: Path, **options: Any) -> tuple[Loader, list[str]]:
    told: list[str] = []
    made = build_loader(
        Numbers(folder, 16, BAD), batch_size=4, on_skip=lambda found: told.extend(one.path for one in found), **options
    )
    return made, told


@pytest.mark.parametrize(("workers", "kind"), [(0, "thread"), (2, "thread"), (2, "process")])
def test_what_cannot_be_read_is_left_out_of_its_batch(tmp_path: Path, workers: int, kind: Any) -> None:
    made, told = loader(tmp_path, workers=workers, kind=kind, on_bad_image="skip")
    with made:
        batches = list(made.once(0))
    assert [len(batch["input"]) for batch in batches] == [3, 4, 3, 4]
    expected = [NoisyNumbers(16, 0.1).y[[i for i in range(k, k + 4) if i not in BAD]] for k in (0, 4, 8, 12)]
    assert all(torch.equal(batch["target"], want) for batch, want in zip(batches, expected, strict=True))
    assert told == [str(tmp_path / "broken.jpg")] * 2


def test_it_is_an_error_unless_the_task_says_otherwise(tmp_path: Path) -> None:
    made, _ = loader(tmp_path, workers=0)
    with pytest.raises(VtkError, match="truncated") as caught:
        list(made.once(0))
    assert caught.value.place == str(tmp_path / "broken.jpg")


@pytest.fixture
def run(make_run: MakeRun, tmp_path: Path) -> Run:
    made = make_run("train.batch_size=4")
    made.data.train = Numbers(tmp_path, 16, BAD)
    made.loss = lambda output, batch: torch.nn.functional.mse_loss(output, batch["target"])
    made.data.val = None
    made.data.on_bad_image = "skip"
    return made


def test_a_run_goes_on_and_tells(run: Run, console: Any) -> None:
    run.data.bad_image_limit = 0.1
    fit(run)
    assert run.position.step == 8
    assert set(run.skipped.found["train"]) == {str(run.data.train.broken)}
    assert console.file.getvalue().count("left out of train") == 1


def test_beyond_the_limit_it_stops(run: Run) -> None:
    run.data.bad_image_limit = 0.0
    with pytest.raises(VtkError, match="the task's limit") as caught:
        fit(run)
    assert "data.bad_image_limit" not in f"{caught.value.message} {caught.value.hint}"


def test_a_batch_of_which_nothing_is_left_takes_its_step(run: Run) -> None:
    run.data.train.bad, run.data.bad_image_limit = tuple(range(16)), 1.0
    before = [p.detach().clone() for p in run.model.parameters()]
    fit(run)
    assert run.position.step == 8
    assert all(torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))


def test_a_mask_and_a_reader_of_ones_own_are_left_out_too(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "colours.png"), np.zeros((4, 4, 3), np.uint8))

    class Masks(Numbers):
        def __getitem__(self, index: Any) -> dict[str, torch.Tensor]:
            if index == 1:
                read_mask(tmp_path / "colours.png")
            if index == 2:
                raise ImageError("scan.dcm", "has no pixels")
            return super().__getitem__(index)

    told: list[Any] = []
    made = build_loader(Masks(tmp_path, 4, ()), batch_size=4, workers=0, on_bad_image="skip", on_skip=told.extend)
    (batch,) = list(made.once(0))
    assert len(batch["input"]) == 2
    assert [one.path for one in told] == [str(tmp_path / "colours.png"), "scan.dcm"]
