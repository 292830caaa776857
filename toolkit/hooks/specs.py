"""Every hook: when it is called, with what, and what None means.

The core registers its defaults first, then the extensions, then the task; pluggy asks the last registered first. A
hook marked ``firstresult`` takes the first answer that is not None. All of them may be wrapped with
``@hookimpl(wrapper=True)``.

The order within a run::

    vtk_config -> vtk_options -> vtk_data -> vtk_model -> vtk_loss -> vtk_metrics
    vtk_fit
      for each stage: vtk_stage_start -> vtk_optimizer
        for each epoch: vtk_step ... (vtk_log now and then) -> validation -> vtk_epoch_end
    vtk_inference -> vtk_calibrate -> vtk_report
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from toolkit.inference.bundle import Bundle
    from toolkit.recipe.sections import Recipe, Section
    from toolkit.run.run import Run
    from toolkit.types.data import Data
    from toolkit.types.options import OptimizerSetup, Option
    from toolkit.types.progress import Stage
    from toolkit.types.results import Figure, Result, Table
    from toolkit.types.survey import Survey


PROJECT = "vtk"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec(firstresult=True)
def vtk_config() -> type[Section] | None:
    """The schema: a subclass of ``toolkit.Recipe`` (task) or of ``toolkit.Section`` (an extension's options).

    Called once per command, before anything else, on each plugin by itself. Required of a task. An extension without
    options leaves it out.
    """


@hookspec
def vtk_options() -> Sequence[Option] | None:
    """Command-line flags that stand for recipe keys. None or an empty list: no flags."""


@hookspec(firstresult=True)
def vtk_data(recipe: Recipe, run: Run) -> Data | None:
    """Datasets and what must be remembered of them. Called once per run, before the model is built. Required of a task.

    The core builds samplers, workers and loaders; the datasets stay map-style. Raise ``VtkError`` for missing or broken
    data. ``run.directory`` exists, except under ``vtk check`` where it is None: write and download nothing then. Data
    that would be downloaded may be left out there: name them in ``plan["downloads"]`` and leave ``train`` None.

    Under ``vtk eval`` on other data ``run.directory`` is None and ``run.trained_meta`` is the bundle's ``meta``: give
    every labelled sample as ``test``, with the classes of that meta, matched by name.
    """


@hookspec(firstresult=True)
def vtk_survey(recipe: Recipe) -> Survey | None:
    """What there is to read of the data set: names, labels and splits, without opening a picture.

    Called by ``vtk check`` where a report on the data is wanted, and never by a run. Data that a run would refuse are
    listed all the same, with their faults. None: the task has no data set. Tasks on labelled images answer with
    ``toolkit.labelled_images.survey.survey_images``.
    """


@hookspec(firstresult=True)
def vtk_model(recipe: Recipe, data: Data) -> nn.Module | None:
    """The model, on the CPU, in float32. Called once per run and whenever a bundle is loaded. Required of a task.

    Must depend on ``recipe`` and ``data.meta`` alone: a bundle has no datasets. ``data.restored`` is True when weights
    will be loaded from a bundle or checkpoint; fetch no pretrained weights then. The seed is set before the call.
    """


@hookspec(firstresult=True)
def vtk_loss(recipe: Recipe, data: Data) -> Callable[[Any, Any], Tensor | Mapping[str, Tensor]] | None:
    """``loss(output, batch)`` → a scalar tensor, or named scalar terms that the core sums and logs one by one.

    Called once per run. ``output`` is what the model returned for ``batch[0]``. Required of a task. A loss is a mean
    over the batch's samples, or over what its method ``batch_weight(batch)`` tells: a scalar, or a mapping by term.
    """


@hookspec(firstresult=True)
def vtk_optimizer(recipe: Recipe, model: nn.Module, stage: Stage) -> OptimizerSetup | Optimizer | None:
    """The stage's optimizer over the parameters that require gradients, with its schedule.

    Called at the start of each stage, after ``vtk_stage_start``. None: the core builds it by name from the recipe.
    """


@hookspec(firstresult=True)
def vtk_metrics(recipe: Recipe, data: Data, split: str) -> Any:
    """A ``torchmetrics.MetricCollection`` that takes ``update(output, targets)``. None: the loss is all there is.

    Called anew for each use; ``split`` is ``train``, ``val`` or ``test``. Outputs arrive in float32 on the CPU, several
    batches at a time. A model that answers otherwise while it trains has no metrics for ``train``.
    """


@hookspec
def vtk_stage_start(run: Run, stage: Stage) -> None:
    """A stage begins: freeze or unfreeze parameters, change the resolution, replace ``run.data``'s datasets.

    Called before the stage's loaders and optimizer are built; also when a resumed run re-enters the stage, where it
    must lead to the same shapes. Task first, then extensions.
    """


@hookspec(firstresult=True)
def vtk_step(run: Run, batch: Any) -> Any:
    """One optimizer step: zero, forward, loss, backward, step, through a closure. Returns the loss or its named terms.

    None: the core's step. ``batch`` is on the device and transformed. With ``train.accumulate`` it is a
    ``MicroBatches`` list.
    """


@hookspec
def vtk_log(run: Run, records: Sequence[Mapping[str, float]]) -> None:
    """Step records since the last call: ``step``, ``loss``, the loss's terms, ``lr``, ``grad_norm`` where clipped.

    Called about once a second and at the end of an epoch, never once a step: reading a loss makes the device wait.
    """


@hookspec
def vtk_epoch_end(run: Run, metrics: Mapping[str, float]) -> None:
    """An epoch and its validation are over. ``metrics`` holds ``train/loss``, ``val/accuracy``, ``lr`` and so on.

    Task first, then extensions in the recipe's order. ``run.stop(reason)`` ends the run after this epoch.
    """


@hookspec(firstresult=True)
def vtk_fit(run: Run) -> bool | None:
    """The whole of training: every stage, epoch and step. Wrap it for set-up, tear-down and errors.

    None: the core's loop. A task that trains in its own way returns True.
    """


@hookspec(firstresult=True)
def vtk_inference(recipe: Recipe, model: nn.Module) -> nn.Module | None:
    """The model as it answers once training is over, e.g. averaging over several views of each image.

    Called with the kept weights in place, in evaluation mode, for the final evaluation and for ``Bundle.network``;
    never for validation while training. None: the model itself.
    """


@hookspec
def vtk_calibrate(run: Run, outputs: Any, targets: Any) -> None:
    """Derive what predicting needs beyond weights, e.g. decision thresholds, and put it into ``run.data.meta``.

    Called once, with the kept weights' outputs and targets on the validation split (float32, on the CPU), before the
    final evaluation and the bundle. Not called where there is no validation split, or where nobody implements it. Data
    built again for ``vtk eval`` must take those facts from ``run.trained_meta``.
    """


@hookspec(firstresult=True)
def vtk_predict(bundle: Bundle, inputs: Sequence[Path], drawings: Sequence[Path] | None) -> list[dict[str, Any]] | None:
    """One JSON-able record per input file, in order. None: the core's default, preprocess and forward.

    ``drawings`` holds the PNG to write for each input under ``vtk predict --draw``, else it is None. Raise ``VtkError``
    with a hint where predicting has no meaning for the task; a task whose recipe has ``predicts`` False is asked for
    nothing but that, with ``bundle`` None.
    """


@hookspec
def vtk_report(run: Run, result: Result) -> Sequence[Figure | Table] | None:
    """Figures and tables for the report of a finished run or of ``vtk eval``. None: nothing to add."""
