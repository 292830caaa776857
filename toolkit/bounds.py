"""Kinds of numbers in recipes, each with bounds that nobody's work meets.

A recipe may come from a stranger: no number in it may fill the memory, run for ever or overflow a machine's arithmetic.
So every number has a least and a largest value, far beyond what makes sense, which the schema shows and checks.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

__all__ = [
    "MOST_EPOCHS",
    "MOST_STAGES",
    "Amount",
    "BatchSize",
    "Decay",
    "Deviation",
    "Divisor",
    "Epochs",
    "Epsilon",
    "Exponent",
    "Factor",
    "History",
    "Level",
    "Mean",
    "Patience",
    "PictureSide",
    "Positive",
    "Rate",
    "Seed",
    "Share",
    "Steps",
    "Width",
]

MOST_EPOCHS = 1_000_000
MOST_STAGES = 1000
MOST_STEPS = 1_000_000_000

Epochs = Annotated[int, Field(ge=1, le=MOST_EPOCHS)]
"""Passes over the data, and what is counted in them."""
Patience = Annotated[int, Field(ge=0, le=MOST_EPOCHS)]
"""Epochs or validations that are waited for."""
Steps = Annotated[int, Field(ge=1, le=MOST_STEPS)]
"""Optimizer steps."""
BatchSize = Annotated[int, Field(ge=1, le=1_000_000)]
"""Samples, or batches, that are taken together."""
History = Annotated[int, Field(ge=1, le=1000)]
"""Curvature pairs, each of which takes two copies of all parameters."""
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
"""What NumPy and PyTorch both take for a seed."""
Width = Annotated[int, Field(ge=1, le=1_000_000)]
"""Outputs of a layer."""
PictureSide = Annotated[int, Field(ge=1, le=8192)]
"""Side of a picture that a network sees, in pixels."""
Level = Annotated[int, Field(ge=0, le=255)]
"""Value of an 8-bit channel."""

Rate = Annotated[float, Field(gt=0, le=1e6)]
"""Learning rates, and what is of their size."""
Epsilon = Annotated[float, Field(gt=0, le=1)]
"""What keeps a denominator away from 0."""
Decay = Annotated[float, Field(ge=0, le=1e6)]
"""Weights of penalties, and rates that may be 0."""
Positive = Annotated[float, Field(gt=0, le=1e9)]
"""Weights, norms, times."""
Amount = Annotated[float, Field(ge=0, le=1e15)]
"""Weights of the terms of a loss, which may be of very different sizes."""
Exponent = Annotated[float, Field(ge=0, le=100)]
"""Powers of numbers between 0 and 1."""
Divisor = Annotated[float, Field(gt=1, le=1e9)]
"""What a rate is divided by."""
Mean = Annotated[float, Field(ge=-1000, le=1000)]
"""Mean of a channel whose values lie in [0, 1]."""
Deviation = Annotated[float, Field(ge=1e-6, le=1000)]
"""Standard deviation of such a channel, by which it is divided."""
Share = Annotated[float, Field(ge=0, lt=1)]
"""Part of a whole that may be none of it, but not all."""
Factor = Annotated[float, Field(gt=0, lt=1)]
"""What makes a number smaller each time."""
