"""The training loop: stages, epochs, steps. Read :func:`fit` first."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch.optim.lr_scheduler import ReduceLROnPlateau

from toolkit.data.loading.balance import Resampled
from toolkit.data.loading.loaders import build_loader
from toolkit.errors import VtkError
from toolkit.hooks.results import owner_name, wrong_answer
from toolkit.inference.precision import answers_in
from toolkit.models.freeze import set_train_mode
from toolkit.optim.schedules import schedule_notes
from toolkit.run.batches import is_nothing, reraise_worker_deaths, training_batches
from toolkit.run.checkpoint import policy as keeping
from toolkit.run.checkpoint.state import restore_late
from toolkit.run.errors import held_out_loss, loss_error
from toolkit.run.evaluator import Evaluator
from toolkit.run.loss_weights import step_weights, weigher
from toolkit.run.meters import LossMeter, OutputBuffer, batch_length
from toolkit.run.skipped import on_skip, write_skipped
from toolkit.run.step import MicroBatches, NonFiniteLoss
from toolkit.system.signals import Interrupted
from toolkit.types.options import OptimizerSetup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.optim import Optimizer

    from toolkit.recipe.sections import LoaderSection
    from toolkit.run.run import Run
    from toolkit.types.progress import Stage


def fit(run: Run) -> bool:
    """Train through all stages from the run's position on."""
    for stage in run.stages[run.position.stage :]:
        enter_stage(run, stage)
        train_stage(run)
        if run.stopping:
            _tell_untrained(run)
        if run.stopping or stage.index == len(run.stages) - 1:
            break
        leave_stage(run)
    keeping.save_last(run)
    return True


def _tell_untrained(run: Run) -> None:
    """A run that stops leaves its later stages out, which is easily overlooked."""
    names = [repr(stage.name) for stage in run.stages[run.stage.index + 1 :]]
    if names:
        run.say(f"note: the run stops in stage {run.stage.name!r}; not trained: {', '.join(names)} ({run.stop_reason})")


def enter_stage(run: Run, stage: Stage) -> None:
    """Let plugins prepare the stage, then build its loaders, optimizer and schedule."""
    run.stage = stage
    run.hook.vtk_stage_start(run=run, stage=stage)
    run.loader = training_loader(run)
    run.val_loader = evaluation_loader(run, run.data.val) if run.data.val is not None else None
    run.stage = replace(stage, batches=math.ceil(len(run.loader) / run.recipe.train.accumulate))
    setup = run.plugins.call("vtk_optimizer", recipe=run.recipe, model=run.model, stage=run.stage)
    setup = setup if isinstance(setup, OptimizerSetup) else OptimizerSetup(setup)
    run.optimizer, run.scheduler = setup.optimizer, setup.scheduler
    run.schedule_interval, run.schedule_metric = setup.interval, setup.metric
    _require_watched(run)
    for note in [] if run.dry else schedule_notes(run.stage):  # a plan shows them by itself
        run.say(f"note: stage {stage.name!r}: {note}")
    assert run.precision is not None
    run.scaler = run.precision.scaler()
    run.losses = LossMeter()
    metrics = run.plugins.call("vtk_metrics", recipe=run.recipe, data=run.data, split="train")
    run.outputs = OutputBuffer(metrics) if metrics is not None else None
    restore_late(run)


def _require_watched(run: Run) -> None:
    """A plateau schedule of a plugin's own must say what it watches."""
    if isinstance(run.scheduler, ReduceLROnPlateau) and run.schedule_metric is None:
        owner = owner_name(run.plugins.owner_of("vtk_optimizer"))
        raise wrong_answer(
            f"vtk_optimizer of {owner} gave a ReduceLROnPlateau without a metric",
            'say what it watches: OptimizerSetup(optimizer, scheduler, metric="val/loss")',
        )


def train_stage(run: Run) -> None:
    """Epochs until the stage is over or somebody stops the run."""
    batches = training_batches(run)
    try:
        with reraise_worker_deaths(run.loader, run.val_loader):
            while not run.stopping and not stage_is_over(run):
                train_epoch(run, batches)
                end_epoch(run)
    finally:
        batches.close()
        run.loader.close()
        if run.val_loader is not None:
            run.val_loader.close()


def stage_is_over(run: Run) -> bool:
    """Every step is taken and every epoch closed; a run may have been interrupted between the two."""
    return run.position.stage_step >= run.stage.total_steps and run.position.epoch_step == 0


def leave_stage(run: Run) -> None:
    """Move the position to the start of the next stage."""
    position = run.position
    position.stage += 1
    position.stage_epoch = position.stage_step = position.epoch_step = 0


def train_epoch(run: Run, batches: Any) -> None:
    """Optimizer steps until the epoch is over, or in a stage that counts steps, until somebody stops the run."""
    run.phase = "train"
    set_train_mode(run.model)
    per_step = run.scheduler is not None and run.schedule_interval == "step"
    counts_steps = run.stage.steps is not None
    position, losses, interrupt = run.position, run.losses, run.interrupt
    step, weigh = run.hook.vtk_step, weigher(run.loss)
    for _ in range(run.epoch_steps - position.epoch_step):
        if interrupt.code is not None:
            interrupt_training(run)
        batch = next_batch(run, batches)
        lr, samples = run.optimizer.param_groups[0]["lr"], samples_in(batch)
        # A step none of whose images can be read teaches nothing, but it has its place in epoch and schedule.
        teaches = samples > 0 or not is_nothing(batch)
        if teaches:
            loss = step(run=run, batch=batch)
            try:
                weights = None if weigh is None else step_weights(weigh, parts_of(batch))
                losses.add(position.step + 1, loss, samples, lr, run.grad_norm, weights)
            except (TypeError, AttributeError, RuntimeError) as error:
                if fault := loss_error(run, loss, hook="vtk_step", learning=False):
                    raise fault from error
                raise
        if per_step:
            run.scheduler.step()
        position.step += 1
        position.stage_step += 1
        position.epoch_step += 1
        if losses.due():
            log_steps(run)
        if counts_steps and run.stopping:
            break
    log_steps(run)


def parts_of(batch: Any) -> Sequence[Any]:
    """The batches of an optimizer step."""
    return batch if isinstance(batch, MicroBatches) else (batch,)


def next_batch(run: Run, batches: Any) -> Any:
    """The next optimizer step's; a signal that comes while it is awaited is heeded at once."""
    try:
        return next(batches)
    except Interrupted:
        interrupt_training(run)
        raise


def samples_in(batch: Any) -> int:
    """Samples of an optimizer step."""
    return sum(map(batch_length, parts_of(batch)))


def log_steps(run: Run) -> None:
    """Read the losses since the last time and hand them to whoever logs."""
    records = run.losses.drain()
    for record in records:
        if not math.isfinite(record["loss"]):
            raise NonFiniteLoss(int(record["step"]) - 1, record["loss"])
    if records:
        run.hook.vtk_log(run=run, records=records)
    write_skipped(run)
    keeping.checkpoint_if_wanted(run)


def interrupt_training(run: Run) -> None:
    """A signal came: keep what was done, and leave."""
    log_steps(run)
    keeping.save_checkpoint(run)
    run.interrupt.check()


def end_epoch(run: Run) -> None:
    """Validation, schedule, best weights, history; then the plugins' turn."""
    metrics = {f"train/{k}": v for k, v in run.losses.means().items()}
    if run.outputs is not None:
        metrics |= {f"train/{k}": v for k, v in run.outputs.compute().items()}
    metrics |= learning_rates(run.optimizer)
    if run.val_loader is not None and validation_due(run):
        metrics |= validate(run)
    close_epoch(run, metrics)
    run.hook.vtk_epoch_end(run=run, metrics=metrics)
    keeping.checkpoint_if_wanted(run)


def learning_rates(optimizer: Optimizer) -> dict[str, float]:
    """The rate, that of the fastest parameters; where they differ, also that of the slowest as ``lr_slowest``."""
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    return {"lr": rates[0]} if len(set(rates)) == 1 else {"lr": rates[0], "lr_slowest": min(rates)}


def close_epoch(run: Run, metrics: dict[str, float]) -> None:
    """Count the epoch, advance the schedule, keep the best weights."""
    position = run.position
    position.epoch += 1
    position.stage_epoch += 1
    position.epoch_step = 0
    run.losses.reset()
    if run.outputs is not None:
        run.outputs.reset()
    advance_schedule(run, metrics)
    run.history.append({"epoch": position.epoch, "step": position.step, **metrics})
    keeping.keep_best(run, metrics)


def advance_schedule(run: Run, metrics: dict[str, float]) -> None:
    """Step a schedule that counts epochs; a plateau schedule looks at its metric, where this epoch has it."""
    if run.scheduler is None or run.schedule_interval != "epoch":
        return
    name = run.schedule_metric
    if name is None:
        run.scheduler.step()
    elif name in metrics:
        run.scheduler.step(metrics[name])
    elif run.val_loader is None or not name.startswith("val/"):
        raise VtkError(f"schedule.metric: there is no metric {name!r}", hint=f"There are: {', '.join(metrics)}.")


def validation_due(run: Run) -> bool:
    """Every ``validate_every`` epochs, and after the last."""
    last = run.stopping or run.position.stage_step >= run.stage.total_steps
    return last or (run.position.epoch + 1) % run.recipe.train.validate_every == 0


def validate(run: Run) -> dict[str, float]:
    """The validation split's loss and metrics, names prefixed with ``val/``."""
    assert run.val_loader is not None
    metrics = run.plugins.call("vtk_metrics", recipe=run.recipe, data=run.data, split="val")
    run.phase, run.eval_total = "val", len(run.val_loader)
    result = evaluator(run).run(run.val_loader, metrics, "val")
    run.phase = "train"
    if not math.isfinite(loss := result.metrics.get("loss", 0.0)):
        run.say(
            f"warning: val/loss is {loss} after step {run.position.step}: the network's answers are no finite numbers"
        )
    return {f"val/{k}": v for k, v in result.metrics.items()}


def interrupt_evaluation(run: Run) -> None:
    """Leave if a signal came; validation is done again from the checkpoint that is kept before it."""
    if run.interrupt.code is not None:
        if run.phase == "val":
            keeping.save_checkpoint(run)
        run.interrupt.check()


def evaluator(run: Run) -> Evaluator:
    """Evaluates the run's model; a signal interrupts it after a checkpoint."""

    def each(done: int) -> None:
        run.eval_done = done
        interrupt_evaluation(run)

    model = answers_in(run.judged, run.recipe.inference.precision)
    return Evaluator(model, run.data, held_out_loss(run), run.device, run.seed, each, weigher(run.loss))


def training_loader(run: Run, options: LoaderSection | None = None) -> Any:
    """Draws the training split in a new order each pass, as the recipe's ``train`` and ``loader`` (or others) say."""
    recipe, options = run.recipe, options or run.recipe.loader
    samples = run.data.train.dataset if isinstance(run.data.train, Resampled) else run.data.train
    return build_loader(
        run.data.train,
        batch_size=recipe.train.batch_size,
        seed=recipe.seed,
        shuffle=options.shuffle,
        weights=run.data.sample_weights,
        drop_last=options.drop_last,
        join_single=True,  # batch norm cannot learn from one sample
        collate=run.data.collate,
        workers=options.workers,
        kind=options.kind,
        prefetch=options.prefetch,
        pin_memory=run.device.type == "cuda",
        on_bad_image=run.data.on_bad_image,
        on_skip=on_skip(run, "train", len(samples)),
        on_wait=run.interrupt.check,
    )


def evaluation_loader(run: Run, dataset: Any) -> Any:
    """Gives a split once, in order."""
    recipe, options = run.recipe, run.recipe.loader
    split = next((name for name in ("val", "test") if getattr(run.data, name) is dataset), "data")
    return build_loader(
        dataset,
        batch_size=recipe.train.eval_batch_size or recipe.train.batch_size,
        seed=recipe.seed,
        shuffle=False,
        collate=run.data.collate,
        workers=options.workers,
        kind=options.kind,
        prefetch=options.prefetch,
        pin_memory=run.device.type == "cuda",
        on_bad_image=run.data.on_bad_image,
        on_skip=on_skip(run, split, len(dataset)),
        on_wait=lambda: interrupt_evaluation(run),
    )
