"""Classes of image files, from a bundle alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit import Bundle

_TOP = 100  # all that `vtk predict --top` can ask for; as a rule all classes


def predict(bundle: Bundle, inputs: Sequence[Path]) -> list[dict[str, Any]]:
    """One record for each file, in order: ``file``, ``class``, ``confidence`` and ``top``, the likeliest classes.

    Raises:
        ImageError: for the first file that is no image.
    """
    from toolkit.labelled_images import file_outputs

    if not inputs:
        return []
    shares = file_outputs(bundle, inputs).double().softmax(1)
    return [_record(*pair, bundle.meta["classes"]) for pair in zip(inputs, shares, strict=True)]


def _record(file: Path, shares: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    values, places = shares.topk(min(_TOP, len(classes)))
    top = [{"class": classes[i], "confidence": v} for v, i in zip(values.tolist(), places.tolist(), strict=True)]
    return {"file": str(file), **top[0], "top": top}
