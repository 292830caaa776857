"""The core's recipe sections. A task adds its own by subclassing :class:`Recipe`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from toolkit.bounds import MOST_STAGES, BatchSize, Epochs, Positive, Rate, Seed, Steps
from toolkit.optim.optimizer_sections import Adam, OptimizerChoice
from toolkit.optim.schedule_sections import Constant, ScheduleChoice
from toolkit.section import Section

__all__ = [
    "InferenceSection",
    "LoaderSection",
    "OptimizerChoice",
    "Recipe",
    "ScheduleChoice",
    "Section",
    "StageSection",
    "TrainSection",
]

Precision = Literal["auto", "fp32", "bf16", "fp16"]


class TrainSection(Section):
    """How long and how to train."""

    epochs: Epochs | None = Field(None, description="Passes over the training data. Give either this or `steps`.")
    steps: Steps | None = Field(None, description="Optimizer steps, instead of `epochs`.")
    steps_per_epoch: Steps | None = Field(
        None, description="Steps between two validations when counting `steps`; by default one pass over the data."
    )
    batch_size: BatchSize = Field(32, description="Training samples in a batch.")
    eval_batch_size: BatchSize | None = Field(
        None, description="Samples in a validation or test batch; by default that of training."
    )
    accumulate: BatchSize = Field(1, description="Batches whose gradients make one optimizer step.")
    precision: Precision = Field(
        "auto",
        description="Format to train in. `auto` is settled by what the hardware has and written into the run's recipe: "
        "bf16 on a CPU with AMX or AVX-512 bf16 and on GPUs from compute capability 8.0, fp16 from 7.0, else fp32.",
    )
    channels_last: bool = Field(True, description="Keep images and convolutions in the channels-last memory format.")
    device: str = Field("auto", description="`auto`, `cpu`, `cuda`, `cuda:N` or `mps`.")
    clip_norm: Positive | None = Field(
        None, description="Largest total gradient norm; larger gradients are scaled down. The norm is logged."
    )
    log_grad_norm: bool = Field(
        False, description="Log the total gradient norm of each step; with `clip_norm` it is logged anyway."
    )
    best: str = Field(
        "auto",
        description="Metric that chooses the weights to keep, e.g. `val/accuracy`; `auto` takes the task's first "
        "validation metric, or the validation loss; `last` keeps the last weights.",
    )
    best_mode: Literal["auto", "min", "max"] = Field(
        "auto", description="Whether less or more of the metric of `best` is better; `auto` asks the metric."
    )
    validate_every: Epochs = Field(1, description="Epochs between two validations; the last epoch always has one.")
    log_every: Steps | None = Field(
        None, description="Print the running loss every so many steps, in addition to the progress display."
    )

    @model_validator(mode="after")
    def _one_length(self) -> TrainSection:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("give either epochs or steps, not both")
        if self.steps_per_epoch is not None and self.steps is None:
            raise ValueError("steps_per_epoch goes with steps, not with epochs")
        return self


class InferenceSection(Section):
    """How the trained model answers."""

    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="Format in which the model answers, everywhere: validation while training, calibration, the final "
        "evaluation, `vtk eval`, `vtk predict` and `Bundle.network`. bf16 is quicker where the hardware has it; its "
        "answers depend on how many images are asked together, by up to 0.03.",
    )


class LoaderSection(Section):
    """How samples are fetched."""

    workers: Annotated[int, Field(ge=0, le=1024)] | Literal["auto"] = Field(
        "auto", description="Workers that prepare batches ahead; 0 prepares them in the training thread."
    )
    kind: Literal["auto", "thread", "process"] = Field(
        "auto",
        description="Threads suit decoding and augmentation, which release Python's lock; processes suit pure Python.",
    )
    prefetch: int = Field(2, ge=1, le=1024, description="Batches that each worker keeps ready.")
    drop_last: bool = Field(
        False,
        description="Leave out a last training batch that is not full. A single sample that is left joins the batch "
        "before it otherwise, for batch norm needs two.",
    )
    shuffle: bool = Field(True, description="Draw the training samples in a new order each epoch.")


class StageSection(Section):
    """A part of a run with its own optimizer and its own trainable parameters."""

    name: str = Field("", description="How the stage is called in logs.")
    epochs: Epochs | None = Field(None, description="Length in epochs.")
    steps: Steps | None = Field(None, description="Length in optimizer steps.")
    steps_per_epoch: Steps | None = Field(None, description="Steps between two validations when counting `steps`.")
    lr: Rate | None = Field(None, description="Learning rate, instead of the optimizer's own.")
    optimizer: OptimizerChoice | None = Field(None, description="Instead of the recipe's optimizer.")
    schedule: ScheduleChoice | None = Field(None, description="Instead of the recipe's schedule.")

    @model_validator(mode="after")
    def _one_length(self) -> StageSection:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("a stage needs either epochs or steps")
        if self.steps_per_epoch is not None and self.steps is None:
            raise ValueError("steps_per_epoch goes with steps, not with epochs")
        return self


class Recipe(Section):
    """One job. ``predicts`` tells the core whether the task's model can be bundled and asked for predictions."""

    model_config = ConfigDict(protected_namespaces=())

    predicts: ClassVar[bool] = True

    task: str = Field(description="Entry-point name of the task's plugin; `distribution:name` chooses between two.")
    name: str = Field(
        "",
        max_length=100,
        description="Names the run's directory; by default the recipe file's stem.",
    )
    seed: Seed = Field(0, description="Seeds the split, the weights, the order and the augmentation.")
    train: TrainSection = Field(default_factory=TrainSection)  # type: ignore[arg-type]
    inference: InferenceSection = Field(default_factory=InferenceSection)  # type: ignore[arg-type]
    optimizer: OptimizerChoice = Field(default_factory=Adam)  # type: ignore[arg-type]
    schedule: ScheduleChoice = Field(default_factory=Constant)
    loader: LoaderSection = Field(default_factory=LoaderSection)  # type: ignore[arg-type]
    stages: Sequence[StageSection] = Field(
        default_factory=list,
        max_length=MOST_STAGES,
        description="Parts of the run, one after another; by default one, as `train` says.",
    )
    extensions: dict[str, dict[str, Any] | bool | None] = Field(
        default_factory=dict, description="Extensions by name with their options; `false` leaves a default one out."
    )

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if any(sign in name for sign in "/\\\0\n") or name in {".", ".."}:
            raise ValueError("it names a folder, so it must not hold slashes or line breaks")
        return name
