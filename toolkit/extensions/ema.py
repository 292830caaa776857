"""Keeps an exponential moving average of the weights, which is what validation judges and the bundle holds."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.specs import hookimpl
from toolkit.section import Section

if TYPE_CHECKING:
    from toolkit.models.ema import Ema
    from toolkit.run.run import Run
    from toolkit.types.progress import Stage

NAME = "ema"


class EmaOptions(Section):
    """How slowly the average follows."""

    decay: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.999, description="Share of the average that each step keeps; 0.999 looks back over about 1,000 steps."
    )
    warmup: bool = Field(True, description="Begin with a smaller decay, so that the first steps are soon forgotten.")


class Average:
    """The extension. The average is made before the first step, and goes on over stages and resuming."""

    @hookimpl
    def vtk_config(self) -> type[Section]:
        """The options."""
        return EmaOptions

    @hookimpl
    def vtk_stage_start(self, run: Run, stage: Stage) -> None:
        """Begin where the model stands, or where an interrupted run stood."""
        if NAME in run.local:
            return
        from toolkit.models.ema import Ema
        from toolkit.run.checkpoint.state import require_kinds
        from toolkit.run.checkpoint.state_schema import fitting

        if not run.recipe.predicts:
            raise VtkError(
                f"the task {run.recipe.task!r} keeps no model whose weights could be averaged",
                place=f"extensions.{NAME}",
                hint=f"take {NAME} out of the recipe's extensions",
                code=ExitCode.RECIPE,
            )
        options: EmaOptions = run.options(NAME)
        ema = run.local[NAME] = Ema(run.model, options.decay, warmup=options.warmup)
        saved = run.state.get(NAME)
        if saved is not None:
            with fitting(run, "its average"):
                require_kinds(ema.average, saved["weights"])
                ema.average.load_state_dict(saved["weights"])
                ema.updates = _count(saved["updates"])
        run.average = ema.average
        # The tensors themselves, so that a checkpoint always finds the present average.
        run.state[NAME] = {"weights": ema.average.state_dict(), "updates": ema.updates}

    @hookimpl(wrapper=True)
    def vtk_step(self, run: Run, batch: Any) -> Generator[None, Any, Any]:
        """Follow each step."""
        loss = yield
        ema: Ema = run.local[NAME]
        ema.update()
        run.state[NAME]["updates"] = ema.updates
        return loss


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("its number of updates is none")
    return value


extension = Average()
