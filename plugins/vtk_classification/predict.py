"""Classes of image files, from a bundle alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit import Bundle

_BATCH = 32
_TOP = 5


def predict(bundle: Bundle, inputs: Sequence[Path]) -> list[dict[str, Any]]:
    """One record for each file, in order: ``file``, ``class``, ``confidence`` and ``top``, the likeliest classes.

    Files are decoded and brought to the network's size as in validation, on threads, while the network works.

    Raises:
        ImageError: for the first file that is no image.
    """
    import torch

    from toolkit.data.datasets import FileDataset
    from toolkit.data.loaders import build_loader
    from toolkit.data.preprocess import Preprocess

    if not inputs:
        return []
    preprocess = Preprocess.from_json(bundle.meta["preprocess"])
    normalize = preprocess.normalize()
    model: Any = bundle.network.to(memory_format=torch.channels_last)
    device = next(model.parameters()).device
    files = FileDataset(inputs, None, preprocess)
    records: list[dict[str, Any]] = []
    with build_loader(files, batch_size=_BATCH) as loader, torch.inference_mode():
        for batch in loader.once():
            shares = model(normalize.apply(batch[0].to(device))).float().softmax(1).cpu()
            names = inputs[len(records) : len(records) + len(shares)]
            records += [_record(*pair, bundle.meta["classes"]) for pair in zip(names, shares, strict=True)]
    return records


def _record(file: Path, shares: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    values, places = shares.topk(min(_TOP, len(classes)))
    top = [{"class": classes[i], "confidence": v} for v, i in zip(values.tolist(), places.tolist(), strict=True)]
    return {"file": str(file), **top[0], "top": top}
