"""What a measurement of a recipe's speed found."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Bench", "Rate", "Trial"]


@dataclass
class Rate:
    """Samples a second over ``batches`` optimizer steps that took ``seconds``."""

    per_second: float
    batches: int
    seconds: float


@dataclass
class Trial:
    """A setting that the recipe does not have, measured."""

    side: str
    setting: str
    per_second: float
    against: float

    @property
    def gain(self) -> float:
        """Times as fast as with the recipe's own setting."""
        return self.per_second / self.against


@dataclass
class Bench:
    """What was measured.

    Attributes:
        loader: who prepares the batches, in words.
        samples: samples of one optimizer step.
        data, model, whole: the data path alone, the model alone on a batch that lies ready, and both as in training.
        step_parts: seconds of an optimizer step of the whole, by part.
        fetch_parts: seconds to fetch one batch in one thread, by part.
        trials: other settings, measured.
        advice: what to change, the most useful first; empty where nothing would help.
        unknown: what could not be had, and why.
    """

    recipe: str
    task: str
    demo: bool = False
    device: str = ""
    precision: str = ""
    precision_why: str = ""
    threads: int = 0
    loader: str = ""
    samples: int = 0
    data: Rate | None = None
    model: Rate | None = None
    whole: Rate | None = None
    step_parts: dict[str, float] = field(default_factory=dict)
    fetch_parts: dict[str, float] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    advice: list[dict[str, str]] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def limit(self) -> str:
        """Which side alone is the slower, ``data`` or ``model``; empty where one of them is unknown."""
        if self.data is None or self.model is None:
            return ""
        return "data" if self.data.per_second < self.model.per_second else "model"

    @property
    def of_ceiling(self) -> float | None:
        """The whole as a share of the slower side alone: what a perfect overlap of the two would reach."""
        if not self.limit or self.whole is None:
            return None
        ceiling: Rate = getattr(self, self.limit)
        return self.whole.per_second / ceiling.per_second
