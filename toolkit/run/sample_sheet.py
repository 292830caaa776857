"""A contact sheet of training samples as they enter the model: the first look at any data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.data.types import IndexBatch
from toolkit.run.figure_text import figure_text
from toolkit.run.report import Figure

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from torch import Tensor

    from toolkit.run.run import Run

__all__ = ["sample_sheet"]

_ROWS, _COLUMNS = 4, 6
_DRAW = 0x5A3E  # keeps this draw apart from others of the same seed


def sample_sheet(run: Run, titles: Callable[[Tensor], Sequence[str]]) -> Figure:
    """Training samples of the first epoch, drawn by the run's seed.

    Args:
        run: its training dataset fetches whole batches of uint8 images (n, h, w, channels) with their targets.
        titles: a line for each of a batch's targets.
    """
    rng = np.random.default_rng([run.seed, _DRAW])
    count = len(run.data.train)
    chosen = rng.choice(count, min(count, _ROWS * _COLUMNS), replace=False)
    batch: Any = run.data.train.__getitems__(IndexBatch(chosen, seed=run.seed, epoch=0))
    caption = "Training samples as they enter the model, augmented"
    return Figure("samples", caption, partial(_draw, batch.inputs.numpy(), list(titles(batch.targets))))


def _draw(images: npt.NDArray[np.uint8], titles: Sequence[str], path: Path) -> None:
    from matplotlib.figure import Figure as Canvas

    rows = -(-len(images) // _COLUMNS)
    canvas = Canvas(figsize=(1.6 * _COLUMNS, 1.8 * rows), layout="constrained")
    for axes in canvas.subplots(rows, _COLUMNS, squeeze=False).flat:
        axes.set_axis_off()
    for axes, image, title in zip(canvas.axes, images, titles, strict=False):
        axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(figure_text(title), fontsize=9)
    canvas.savefig(path, dpi=100)
