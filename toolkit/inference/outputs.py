"""What a bundle's network says of image files, for every task on images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.inference.bundle import Bundle

__all__ = ["file_outputs"]

_BATCH = 32


def file_outputs(bundle: Bundle, inputs: Sequence[Path]) -> Tensor:
    """The network's outputs, float32 on the CPU, shape (n, outputs), in the order of the files.

    Files are decoded and brought to the network's size as in validation, on threads, while the network works.

    Args:
        bundle: its meta has ``preprocess``.
        inputs: at least one image file.

    Raises:
        ImageError: for the first file that is no image.
        VtkError: for the first file whose outputs are infinite or NaN (exit code 80).
    """
    import torch

    from toolkit.data.loading.datasets import FileDataset
    from toolkit.data.loading.loaders import build_loader
    from toolkit.errors import ExitCode, VtkError
    from toolkit.inference.bundle import FACTS
    from toolkit.inference.bundle_schema import image_meta

    preprocess = image_meta(bundle.meta, str(bundle.directory / FACTS)).preprocess
    if preprocess is None:
        raise VtkError("says nothing of preprocessing images", place=str(bundle.directory / FACTS))
    normalize = preprocess.normalize()
    model = bundle.network.to(memory_format=torch.channels_last)
    device = next(model.parameters()).device
    with build_loader(FileDataset(inputs, None, preprocess), batch_size=_BATCH) as loader, torch.inference_mode():
        outputs = torch.cat([model(normalize.apply(b[0].to(device))).float().cpu() for b in loader.once()])
    if not bool(torch.isfinite(outputs).all()):
        first = int((~torch.isfinite(outputs)).flatten(1).any(1).nonzero()[0])
        raise VtkError(
            "the network's answer is no finite number",
            place=str(inputs[first]),
            hint="Its training went astray in the last steps: train again with a lower rate or with train.clip_norm.",
            code=ExitCode.NON_FINITE,
        )
    return outputs
