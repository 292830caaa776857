"""The optimizers that a recipe can name, each with its own keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from toolkit.recipe.section import Section

Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Decay = Annotated[float, Field(ge=0)]


class SGD(Section):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = "sgd"
    lr: Rate = Field(1e-2, description="Learning rate.")
    momentum: Share = Field(0.0, description="Momentum.")
    nesterov: bool = Field(False, description="Nesterov's form of momentum.")
    weight_decay: Decay = Field(0.0, description="L2 penalty.")


class Adam(Section):
    """Adam (Kingma and Ba, 2015); the weight decay is an L2 penalty in the gradient."""

    name: Literal["adam"] = "adam"
    lr: Rate = Field(1e-3, description="Learning rate.")
    beta1: Share = Field(0.9, description="Decay of the first moment.")
    beta2: Share = Field(0.999, description="Decay of the second moment.")
    eps: Rate = Field(1e-8, description="Added to the denominator.")
    weight_decay: Decay = Field(0.0, description="L2 penalty.")


class AdamW(Section):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    name: Literal["adamw"] = "adamw"
    lr: Rate = Field(1e-3, description="Learning rate.")
    beta1: Share = Field(0.9, description="Decay of the first moment.")
    beta2: Share = Field(0.999, description="Decay of the second moment.")
    eps: Rate = Field(1e-8, description="Added to the denominator.")
    weight_decay: Decay = Field(1e-2, description="Decoupled weight decay.")


class LBFGS(Section):
    """Limited-memory BFGS: one iteration for each optimizer step, on the whole objective."""

    name: Literal["lbfgs"] = "lbfgs"
    lr: Rate = Field(1.0, description="Step length.")
    history: int = Field(10, ge=1, description="Curvature pairs that are kept.")
    line_search: Literal["none", "strong_wolfe"] = Field("none", description="How the step length is refined.")


OptimizerChoice = Annotated[SGD | Adam | AdamW | LBFGS, Field(discriminator="name")]
