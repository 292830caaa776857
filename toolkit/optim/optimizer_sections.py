"""The optimizers that a recipe can name, each with its own keys."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from toolkit.bounds import Decay, Epsilon, Factor, History, Rate, Share
from toolkit.section import Section


class _Grouped(Section):
    """What may differ between parameters."""

    decay_norms_and_biases: bool = Field(
        True, description="Whether the weight decay takes norms, biases and embeddings of positions with it."
    )
    layer_decay: Factor | None = Field(
        None,
        description="Each block of layers learns at this multiple of the rate of the block above; the head at `lr`.",
    )

    @model_validator(mode="after")
    def _decays_something(self) -> Self:
        if not self.decay_norms_and_biases and not getattr(self, "weight_decay", 0.0):
            raise ValueError("decay_norms_and_biases: false has no effect without weight_decay")
        return self


class SGD(_Grouped):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = "sgd"
    lr: Rate = Field(1e-2, description="Learning rate.")
    momentum: Share = Field(0.0, description="Momentum.")
    nesterov: bool = Field(False, description="Nesterov's form of momentum.")
    weight_decay: Decay = Field(0.0, description="L2 penalty.")

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov: true has no effect without momentum")
        return self


class Adam(_Grouped):
    """Adam (Kingma and Ba, 2015); the weight decay is an L2 penalty in the gradient."""

    name: Literal["adam"] = "adam"
    lr: Rate = Field(1e-3, description="Learning rate.")
    beta1: Share = Field(0.9, description="Decay of the first moment.")
    beta2: Share = Field(0.999, description="Decay of the second moment.")
    eps: Epsilon = Field(1e-8, description="Added to the denominator.")
    weight_decay: Decay = Field(0.0, description="L2 penalty.")


class AdamW(_Grouped):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    name: Literal["adamw"] = "adamw"
    lr: Rate = Field(1e-3, description="Learning rate.")
    beta1: Share = Field(0.9, description="Decay of the first moment.")
    beta2: Share = Field(0.999, description="Decay of the second moment.")
    eps: Epsilon = Field(1e-8, description="Added to the denominator.")
    weight_decay: Decay = Field(1e-2, description="Decoupled weight decay.")


class LBFGS(Section):
    """Limited-memory BFGS: one iteration for each optimizer step, on the whole objective."""

    name: Literal["lbfgs"] = "lbfgs"
    lr: Rate = Field(1.0, description="Step length.")
    history: History = Field(10, description="Curvature pairs that are kept.")
    line_search: Literal["none", "strong_wolfe"] = Field("none", description="How the step length is refined.")


OptimizerChoice = Annotated[SGD | Adam | AdamW | LBFGS, Field(discriminator="name")]
