"""The learning-rate schedules that a recipe can name, each with its own keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from toolkit.bounds import MOST_EPOCHS, Decay, Divisor, Epochs, Factor, Patience
from toolkit.section import Section


class Constant(Section):
    """The rate never changes."""

    name: Literal["constant"] = "constant"


class Step(Section):
    """Multiplies the rate by ``gamma`` every ``step_size`` epochs."""

    name: Literal["step"]
    step_size: Epochs = Field(description="Epochs between two drops.")
    gamma: Factor = Field(0.1, description="Factor of each drop.")


class MultiStep(Section):
    """Multiplies the rate by ``gamma`` at each of the named epochs."""

    name: Literal["multistep"]
    milestones: list[Epochs] = Field(min_length=1, max_length=10_000, description="Epochs of the drops, rising.")
    gamma: Factor = Field(0.1, description="Factor of each drop.")


class Cosine(Section):
    """Falls along half a cosine to ``eta_min`` (Loshchilov and Hutter, 2017), after a linear warm-up if asked for."""

    name: Literal["cosine"]
    t_max: Epochs | None = Field(
        None, description="Epochs of the fall, warm-up not counted; by default the rest of the stage."
    )
    eta_min: Decay = Field(0.0, description="Rate at the end.")
    warmup: float = Field(
        0.0, ge=0, le=MOST_EPOCHS, description="Epochs of linear warm-up, in parts of an epoch if you like."
    )


class OneCycle(Section):
    """Rises to the optimizer's rate and falls far below it within the stage (Smith and Topin, 2018), step by step."""

    name: Literal["onecycle"]
    pct_start: Factor = Field(0.3, description="Share of the stage spent rising.")
    div_factor: Divisor = Field(25.0, description="The first rate is the peak divided by this.")
    final_div_factor: Divisor = Field(1e4, description="The last rate is the first divided by this.")


class Plateau(Section):
    """Multiplies the rate by ``factor`` when the watched metric has not improved for ``patience`` epochs."""

    name: Literal["plateau"]
    metric: str = Field("val/loss", description="What is watched.")
    mode: Literal["auto", "min", "max"] = Field(
        "auto", description="Whether less or more of it is better; `auto` asks the metric."
    )
    factor: Factor = Field(0.1, description="Factor of each drop.")
    patience: Patience = Field(10, description="Epochs without improvement before a drop.")
    min_lr: Decay = Field(0.0, description="The rate never falls below this.")


ScheduleChoice = Annotated[Constant | Step | MultiStep | Cosine | OneCycle | Plateau, Field(discriminator="name")]
