"""Batches reach the device whole and in order."""

from __future__ import annotations

import pytest
import torch

from toolkit import Batch
from toolkit.system.to_device import to_device

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")),
]


@pytest.mark.parametrize("name", DEVICES)
def test_every_batch_arrives_as_it_was(name: str) -> None:
    device = torch.device(name)
    total = torch.zeros(64, 3, 32, 32, dtype=torch.int64, device=device)
    expected = torch.zeros(64, 3, 32, 32, dtype=torch.int64)
    for number in range(40):
        images = torch.randint(
            0, 256, (64, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(number)
        )
        expected += images
        batch = to_device(Batch(images.pin_memory() if name == "cuda" else images, torch.tensor([number])), device)
        assert isinstance(batch, Batch)
        assert batch.inputs.device.type == name
        total += batch.inputs  # read on the computing stream while the next copy is under way
        del batch, images
    assert torch.equal(total.cpu(), expected)


def test_what_is_no_tensor_stays() -> None:
    moved = to_device({"input": torch.ones(2), "names": ["a", "b"], "count": 2}, torch.device("cpu"))
    assert moved["names"] == ["a", "b"]
    assert moved["count"] == 2
