"""Where the time of a training step goes, for any task: clocks around what every step calls."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from toolkit.run.run import Run

WAIT, PREPARE, FORWARD, LOSS, BACKWARD, UPDATE, REST = STEP_PARTS = (
    "waiting for the loader",
    "to the device, normalise",
    "forward",
    "loss",
    "backward",
    "optimizer",
    "the rest",
)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


class Clocks:
    """Seconds by part. Parts may lie within one another; each second counts for the innermost.

    Only the thread that made the clocks is timed: autograd's own threads may call hooks too.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._device = device
        self._open: list[str] = []
        self._thread = threading.get_ident()
        self._last = time.perf_counter()

    def begin(self, part: str) -> None:
        """What follows belongs to ``part``."""
        if threading.get_ident() == self._thread:
            self._charge()
            self._open.append(part)

    def end(self) -> None:
        """The innermost part is over."""
        if threading.get_ident() == self._thread:
            self._charge()
            self._open.pop()

    def reset(self) -> None:
        """Forget everything so far."""
        self._charge()
        self.seconds.clear()

    def read(self) -> dict[str, float]:
        """Seconds by part up to now."""
        self._charge()
        return dict(self.seconds)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """The block belongs to ``name``."""
        self.begin(name)
        try:
            yield
        finally:
            self.end()

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call``, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return call(*args, **kwargs)

        timed.__dict__.update({name: getattr(call, name) for name in ("batch_weight",) if hasattr(call, name)})
        return timed

    def _charge(self) -> None:
        synchronize(self._device)
        now = time.perf_counter()
        self.seconds[self._open[-1] if self._open else REST] += now - self._last
        self._last = now


@contextmanager
def clocks_in(run: Run) -> Iterator[Clocks]:
    """Put clocks around a run's loader, transform, model, loss, backward pass and optimizer while the block runs.

    On a device other than the CPU each clock waits for the device, so the parts add up but the whole is slower.
    """
    clocks = Clocks(run.device)
    with ExitStack() as stack:
        for owner, name, value in (
            (run.loader, "batches", _timed_source(clocks, run.loader.batches)),
            (run, "loss", clocks.around(LOSS, run.loss)),
            (torch.autograd, "backward", clocks.around(BACKWARD, torch.autograd.backward)),
        ):
            stack.enter_context(replaced(owner, name, value))
        before = run.model.register_forward_pre_hook(lambda *_: clocks.begin(FORWARD))
        after = run.model.register_forward_hook(lambda *_: clocks.end(), always_call=True)
        stack.callback(before.remove)
        stack.callback(after.remove)
        if hasattr(run.optimizer, "register_step_pre_hook"):
            stack.callback(run.optimizer.register_step_pre_hook(lambda *_: clocks.begin(UPDATE)).remove)
            stack.callback(run.optimizer.register_step_post_hook(lambda *_: clocks.end()).remove)
        yield clocks


def _timed_source(clocks: Clocks, batches: Callable[..., Any]) -> Callable[..., Any]:
    def source(*args: Any) -> Generator[Any, None, None]:
        found = batches(*args)
        try:
            while True:
                with clocks.part(WAIT):
                    batch = next(found)
                yield batch
        finally:
            found.close()

    return source


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """``owner.name`` is ``value`` while the block runs."""
    own = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)
