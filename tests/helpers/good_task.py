"""A task that keeps every promise; the tests of the checks break one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit import ExitCode, VtkError, hookimpl
from toolkit.testing.numbers import Numbers

RECIPE = {
    "task": "good",
    "train": {"epochs": 2, "batch_size": 8},
    "optimizer": {"name": "adam", "lr": 0.01},
    "loader": {"workers": 0},
}


class Good(Numbers):
    """Numbers that can be predicted from text files of four numbers."""

    @hookimpl
    def vtk_predict(self, bundle: Any, inputs: Any) -> list[dict[str, Any]]:
        import torch

        records = []
        for path in inputs:
            try:
                numbers = [float(word) for word in Path(path).read_text().split()]
            except OSError as error:
                raise VtkError("cannot be read", place=str(path), code=ExitCode.NO_INPUT) from error
            except ValueError as error:
                raise VtkError("holds no numbers", place=str(path)) from error
            records.append({"file": str(path), "value": self.answer(bundle, torch.tensor([numbers]))})
        return records

    def answer(self, bundle: Any, numbers: Any) -> float:
        return float(bundle.network(numbers).item())


def write_samples(split: Any, folder: Path) -> list[Path]:
    """Each sample of a split as a text file."""
    paths = [folder / f"{number}.txt" for number in range(len(split))]
    for path, x in zip(paths, split.x, strict=True):
        path.write_text(" ".join(map(repr, x.tolist())))
    return paths
