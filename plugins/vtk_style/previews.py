"""Pictures of the work in progress, written beside the run; large ones are shrunk, since they are only looked at."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from torch import Tensor

from toolkit.system import write_atomic, write_error
from vtk_style.pyramid import fitted, resized
from vtk_style.writing import encode, quantise

LONGEST = 1024
"""Longer side of a preview, at most."""


class Previews:
    """Writes previews in a thread of its own. One that comes while another is being written is left out.

    Args:
        directory: where they go.
        finish: what is done to an image (1, 3, H, W) before it is written, on the thread.
    """

    def __init__(self, directory: Path, finish: Callable[[Tensor], Tensor]) -> None:
        self.directory = directory
        self.finish = finish
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="preview")
        self._last: Future[None] | None = None

    def submit(self, step: int, image: Tensor) -> bool:
        """Hand over an image (1, 3, H, W), of which a copy is taken; False where the thread is still busy."""
        if self._last is not None and not self._last.done():
            return False
        self._raise_failure()
        size = (image.shape[-2], image.shape[-1])
        small = resized(image.detach(), fitted(size, min(LONGEST, max(size))))
        self._last = self._pool.submit(self._write, step, small.to("cpu", copy=small.data_ptr() == image.data_ptr()))
        return True

    def close(self) -> None:
        """Wait for the last preview."""
        self._pool.shutdown(wait=True)
        self._raise_failure()

    def _raise_failure(self) -> None:
        """A full disk is said in the run's own thread, too."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def _write(self, step: int, image: Tensor) -> None:
        try:
            self.directory.mkdir(exist_ok=True)
        except OSError as error:
            raise write_error(self.directory, error) from error
        content = encode(quantise(self.finish(image)), "PNG", options={"compress_level": 1})
        write_atomic(self.directory / f"step-{step:06d}.png", content)
