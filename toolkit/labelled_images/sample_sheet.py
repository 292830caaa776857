"""A contact sheet of training samples as they enter the model: the first look at any data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.data.io.decode import ImageError
from toolkit.data.loading.bad_images import Skipped, left_out
from toolkit.report.figure_text import figure_text
from toolkit.types.data import IndexBatch
from toolkit.types.results import Figure

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from torch import Tensor

    from toolkit.run.run import Run

__all__ = ["sample_sheet"]

_ROWS, _COLUMNS = 4, 6
_DRAW = 0x5A3E  # keeps this draw apart from others of the same seed


def sample_sheet(run: Run, titles: Callable[[Tensor], Sequence[str]]) -> Figure:
    """Training samples of the first epoch, drawn by the run's seed; the caption says how many cannot be read.

    Args:
        run: its training dataset fetches whole batches of uint8 images (n, h, w, channels) with their targets.
        titles: a line for each of a batch's targets.
    """
    rng = np.random.default_rng([run.seed, _DRAW])
    count = len(run.data.train)
    chosen = rng.choice(count, min(count, _ROWS * _COLUMNS), replace=False)
    parts, skipped = _fetched(run, chosen)
    caption = "Training samples as they enter the model, augmented"
    if skipped:
        caption += f"; {len(skipped)} of {len(chosen)} cannot be read: {', '.join(one.path for one in skipped)}"
        for one in skipped:
            run.say(f"warning: the report's samples lack {one.path}: the file {one.reason}")
    images = [image for part in parts for image in part.inputs.numpy()]
    return Figure("samples", caption, partial(_draw, images, [t for part in parts for t in titles(part.targets)]))


def _fetched(run: Run, chosen: npt.NDArray[Any]) -> tuple[list[Any], list[Skipped]]:
    """The samples in batches, and those that cannot be read, whatever the recipe says of such images in training."""

    def fetch(indices: npt.NDArray[Any]) -> tuple[Any, tuple[Skipped, ...]]:
        return left_out(run.data.train.__getitems__(IndexBatch(indices, seed=run.seed, epoch=0)))

    try:
        whole, skipped = fetch(chosen)
        return [whole], list(skipped)
    except ImageError:
        pass
    parts, bad = [], list[Skipped]()
    for index in chosen:
        try:
            parts.append(fetch(np.array([index]))[0])
        except ImageError as error:
            bad.append(Skipped(error.path, error.reason))
    return parts, bad


def _draw(images: Sequence[npt.NDArray[np.uint8]], titles: Sequence[str], path: Path) -> None:
    from matplotlib.figure import Figure as Canvas

    rows = max(-(-len(images) // _COLUMNS), 1)
    canvas = Canvas(figsize=(1.6 * _COLUMNS, 1.8 * rows), layout="constrained")
    for axes in canvas.subplots(rows, _COLUMNS, squeeze=False).flat:
        axes.set_axis_off()
    for axes, image, title in zip(canvas.axes, images, titles, strict=False):
        axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(figure_text(title), fontsize=9)
    canvas.savefig(path, dpi=100)
