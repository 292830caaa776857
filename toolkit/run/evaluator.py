"""One pass over a split without learning: the loss, the metrics, and the outputs for the report."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from toolkit.data.loading.bad_images import is_empty
from toolkit.run.batches import prepare_batch
from toolkit.run.meters import LossMeter, OutputBuffer, batch_length, joined_outputs
from toolkit.run.step import inputs_of, targets_of
from toolkit.system.nested import bytes_in
from toolkit.types.data import BatchKey
from toolkit.types.results import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolkit.data.loading.loaders import Loader
    from toolkit.run.meters import Weights
    from toolkit.types.data import Data

_KEPT_BYTES = 256 << 20


@dataclass
class Evaluator:
    """What evaluating a model needs.

    ``each`` is called before each batch with its number; it shows progress and may raise to interrupt. ``weigh`` tells
    how much a batch's loss counts, where that is not its number of samples.
    """

    model: torch.nn.Module
    data: Data
    loss: Callable[[Any, Any], Any]
    device: torch.device
    seed: int
    each: Callable[[int], None] = lambda _done: None
    weigh: Callable[[Any], Weights] | None = None

    def run(self, loader: Loader, metrics: Any, split: str, keep_outputs: bool = False) -> Result:
        """Evaluate one split.

        Args:
            loader: gives the split's batches once, in order.
            metrics: a torchmetrics collection, or None; reset first.
            keep_outputs: return outputs and targets too, unless they need more than 256 MiB.
        """
        losses = LossMeter()
        buffer = OutputBuffer(metrics) if metrics is not None else None
        if buffer is not None:
            buffer.reset()
        kept: _Kept | None = _Kept() if keep_outputs else None
        training = self.model.training
        self.model.eval()
        try:
            for batch, output, loss in self._forward(loader):
                weights = None if self.weigh is None else self.weigh(batch)
                losses.add(0, loss, batch_length(batch), 0.0, None, weights)
                if buffer is not None:
                    buffer.add(output, targets_of(batch))
                if kept is not None:
                    kept.add(output, targets_of(batch))
        finally:
            self.model.train(training)
        losses.drain()
        values = losses.means() | (buffer.compute() if buffer is not None else {})
        outputs, targets = kept.joined() if kept is not None else (None, None)
        return Result(split, values, outputs, targets, metrics)

    def _forward(self, loader: Loader) -> Iterator[tuple[Any, Any, Any]]:
        key = BatchKey(self.seed, 0, 0, False)
        with torch.inference_mode(), closing(loader.once()) as batches:
            for number, raw in enumerate(batches):
                self.each(number)
                if is_empty(raw):
                    continue
                batch = prepare_batch(raw, self.data, self.device, key)
                output = self.model(inputs_of(batch))
                yield batch, output, self.loss(output, batch)


class _Kept:
    """Outputs and targets of a split, given up when they grow too large."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] | None = []
        self.bytes = 0

    def add(self, output: Any, targets: Any) -> None:
        if self.pairs is None:
            return
        self.bytes += bytes_in(output)
        self.pairs.append((output, targets))
        if self.bytes > _KEPT_BYTES:
            self.pairs = None

    def joined(self) -> tuple[Any, Any]:
        if not self.pairs:
            return None, None
        outputs, targets = [p[0] for p in self.pairs], [p[1] for p in self.pairs]
        joined = joined_outputs(outputs), joined_outputs(targets)
        return joined if joined[0] is not None else (outputs, targets)
