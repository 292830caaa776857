"""What a user can see of a recipe: each observer turns a resolved recipe into something that can be compared."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn

from toolkit.inference.precision import answers_in
from toolkit.optim.optimizers import build_optimizer
from toolkit.recipe.stages import plan_stages
from toolkit.run.batches import training_batches
from toolkit.run.loop import evaluation_loader, fit, training_loader
from toolkit.run.run import Run
from toolkit.run.setup import prepare
from toolkit.types.data import Batch


def _run(resolved: Any) -> Run:
    return prepare(resolved, console=Console(file=io.StringIO(), width=200))


def _digest(*values: Any) -> str:
    found = hashlib.sha256()
    for value in values:
        array = value.detach().float().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        found.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


class Net(nn.Module):
    """Two layers and a head, always the same."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = nn.Linear(3, 4), nn.Linear(4, 2)

    def get_classifier(self) -> nn.Module:
        return self.head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).relu())


def updates(resolved: Any) -> Any:
    """Where eight steps of the first stage's optimizer lead."""
    stage = plan_stages(resolved.recipe)[0]
    net = Net()
    optimizer = build_optimizer(net, stage).optimizer
    inputs = torch.randn(16, 3, generator=torch.Generator().manual_seed(1))

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = net(inputs).square().mean()
        loss.backward()
        return loss

    for _ in range(8):
        optimizer.step(closure)
    return type(optimizer).__name__, _digest(*net.parameters())


def rates(resolved: Any) -> Any:
    """The learning rates of 24 epochs or steps, with a metric that never improves."""
    from dataclasses import replace

    stage = replace(plan_stages(resolved.recipe)[0], epochs=6, steps=None, batches=4)
    setup = build_optimizer(Net(), stage)
    found = [setup.optimizer.param_groups[0]["lr"]]
    for _ in range(24):
        if setup.scheduler is not None:
            setup.scheduler.step(*([1.0] if setup.metric else []))
        found.append(setup.optimizer.param_groups[0]["lr"])
    return found, setup.interval, setup.metric


def fitted(resolved: Any) -> Any:
    """The history of training, and the weights at its end."""
    run = _run(resolved)
    fit(run)
    return run.step, run.history, _digest(*run.model.state_dict().values()), run.best


def last_rate(resolved: Any) -> float:
    """The learning rate once training is over."""
    run = _run(resolved)
    fit(run)
    return float(run.optimizer.param_groups[0]["lr"])


def trained_over(resolved: Any) -> Any:
    """How training ends: its steps, or why it stops."""
    from toolkit.errors import VtkError

    try:
        return fitted(resolved)[0]
    except VtkError as error:
        return error.message


def printed(resolved: Any) -> Any:
    """How many lines training prints, and their words without figures."""
    run = _run(resolved)
    run.hook.vtk_fit(run=run)
    lines = run.console.file.getvalue().splitlines()
    return sum("loss" in line for line in lines)


def announced(resolved: Any) -> Any:
    """The lines that say what runs where."""
    from toolkit.run.runner import announce

    run = _run(resolved)
    announce(run, Path("runs/x"))
    return run.console.file.getvalue(), str(run.device), [stage.name for stage in run.stages]


def batches(resolved: Any) -> Any:
    """The first batches as the model gets them."""
    from dataclasses import replace

    run = _run(resolved)
    run.loader = training_loader(run)
    run.stage = replace(run.stages[0], batches=len(run.loader))
    drawn = training_batches(run)
    first = [next(drawn) for _ in range(4)]
    run.loader.close()
    return len(run.data.train), _digest(*[part for batch in first for part in batch])


def loader(resolved: Any) -> Any:
    """Who prepares batches, how many there are, and how far ahead."""
    run = _run(resolved)
    found = training_loader(run)
    workers: Any = found._workers
    ahead = getattr(workers, "_ahead", None) or getattr(getattr(workers, "_loader", None), "prefetch_factor", None)
    described = found.describe(), len(found), ahead
    found.close()
    return described


def held_out(resolved: Any) -> Any:
    """What is evaluated, in which batches, under which names."""
    run = _run(resolved)
    found: list[Any] = [run.data.meta["classes"], len(run.data.train)]
    for split in ("val", "test"):
        dataset = getattr(run.data, split)
        if dataset is not None:
            with evaluation_loader(run, dataset) as source:
                found += [len(source), *[_digest(run.data.transform.apply(b[0]), b[1]) for b in source.once()]]
    return found


def weights(resolved: Any) -> Any:
    """The model's first weights, their names and shapes, their memory format, and what trains."""
    run = _run(resolved)
    run.hook.vtk_stage_start(run=run, stage=run.stages[0])
    state = run.model.state_dict()
    return (
        list(state),
        _digest(*state.values()),
        [t.stride() for t in state.values()],
        [name for name, p in run.model.named_parameters() if p.requires_grad],
    )


def answers(resolved: Any) -> Any:
    """What the model says of noise, training and not, and once it is trained."""
    run = _run(resolved)
    meta = run.data.meta
    images = torch.randn(4, meta["channels"], meta["image_size"], meta["image_size"])
    trained = run.hook.vtk_inference(recipe=run.recipe, model=run.model) or run.model
    trained = answers_in(trained, run.recipe.inference.precision)
    with torch.no_grad():
        torch.manual_seed(0)
        return _digest(run.model.train()(images), run.model.eval()(images), trained.eval()(images))


def loss(resolved: Any) -> Any:
    """The loss of fixed answers."""
    run = _run(resolved)
    count = len(run.data.meta["classes"])
    logits = torch.linspace(-2, 2, 6 * count).reshape(6, count)
    targets = torch.arange(6) % count
    if resolved.recipe.task == "multilabel":
        targets = nn.functional.one_hot(targets, count)
    return round(float(run.loss(logits, Batch(None, targets))), 7)


def planned(resolved: Any) -> Any:
    """What a check says of the data."""
    return _run(resolved).data.plan


def meta(resolved: Any) -> Any:
    """What a bundle remembers of the data."""
    return _run(resolved).data.meta


def source(resolved: Any) -> Any:
    """What the source finds: names, labels, order; or how it says that it finds nothing."""
    from toolkit.errors import VtkError

    try:
        found = resolved.recipe.data.source.load()
    except VtkError as error:
        return str(error)
    parts = [part for part in (found.train, found.val, found.test) if part is not None]
    return [(part.classes, part.keys, _digest(part.targets, getattr(part, "images", 0))) for part in parts]


def downloads(resolved: Any) -> Any:
    """What would be fetched."""
    from toolkit.labelled_images.model import planned_download

    return resolved.recipe.data.source.downloads(), planned_download(resolved.recipe.model)


def precision(resolved: Any) -> Any:
    """What is computed in, and where."""
    run = _run(resolved)
    return run.precision.name, str(run.device)
