"""Limited-memory BFGS for one large image: one evaluation a step, tests that do not depend on the image's size.

Differences to ``torch.optim.LBFGS`` that matter here:

- One evaluation and one update for each ``step``, so that progress, previews, checkpoints and stopping are exact.
- A curvature pair counts if y·s > ε·‖y‖·‖s‖. torch asks for y·s > 1e-10, an absolute bound that mean-normalised losses
  fall below as images grow, and then the method turns into steepest descent.
- The first step has a given length per pixel, whatever the scale of the objective.
- A step that makes the loss worse by much is taken back and halved instead of kept.
- The history may be kept in bfloat16: half the memory, and rounding the pairs only changes the metric.
- All its memory is taken at the first step, so that a run which could begin does not run out of it later.

Source: Nocedal and Wright, "Numerical Optimization" (2006), algorithm 7.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from vtk_style.buffers import apart_like

_PART = 1 << 20
"""Elements that are worked on at a time where types differ, so that no vector is copied whole."""


class LBFGS(torch.optim.Optimizer):
    """Minimises over a single tensor.

    Args:
        params: one parameter.
        lr: factor of every step; 1 is the quasi-Newton step.
        history: curvature pairs that are kept.
        history_dtype: the type in which they are kept; None for the parameter's own.
        first_step: root mean square of the first step, and of the first after the history was reset.
        longest_step: root mean square that no step exceeds.
        curvature: ε of the curvature test.
        tolerance: a step is taken back where the loss exceeds ``tolerance`` times the one before.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1.0,
        history: int = 6,
        history_dtype: torch.dtype | None = None,
        first_step: float = 0.02,
        longest_step: float = 0.25,
        curvature: float = 1e-6,
        tolerance: float = 2.0,
    ) -> None:
        defaults = {
            "lr": lr,
            "history": history,
            "first_step": first_step,
            "longest_step": longest_step,
            "curvature": curvature,
            "tolerance": tolerance,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1 or len(self.param_groups[0]["params"]) != 1:
            raise ValueError("this optimizer takes a single tensor")
        self.history_dtype = history_dtype
        self._spare: list[Tensor] = []

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Evaluates ``closure`` once and updates the parameter once; returns the closure's loss.

        Raises:
            ValueError: there is no closure.
        """
        if closure is None:
            raise ValueError("L-BFGS needs a closure that evaluates the loss and its gradient")
        with torch.enable_grad():
            loss = closure()
        (parameter,) = self.param_groups[0]["params"]
        state = self.state[parameter]
        if not self._take_back(parameter, state, float(loss)):
            self._advance(parameter, state, float(loss))
        return loss

    def reset(self) -> None:
        """Forget everything, and let its memory go."""
        self.state.clear()
        self._spare.clear()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores a state. The history keeps out of torch's hands, which would cast it to the parameter's type."""
        states = state_dict["state"]
        plain = {key: {k: v for k, v in state.items() if k not in ("s", "y")} for key, state in states.items()}
        super().load_state_dict({**state_dict, "state": plain})
        (parameter,) = self.param_groups[0]["params"]
        for state in states.values():
            for name in ("s", "y"):
                pairs = state.get(name, [])
                self.state[parameter][name] = [
                    pair.to(parameter.device, self.history_dtype or parameter.dtype) for pair in pairs
                ]

    def _take_back(self, parameter: Tensor, state: dict[str, Any], loss: float) -> bool:
        """Halve the last step if it made the loss much worse; whether it was."""
        group = self.param_groups[0]
        if "loss" not in state or loss <= group["tolerance"] * state["loss"] or state["halvings"] >= 8:
            return False
        state["t"] /= 2
        state["halvings"] += 1
        parameter.add_(state["d"], alpha=-state["t"])
        return True

    def _advance(self, parameter: Tensor, state: dict[str, Any], loss: float) -> None:
        gradient = parameter.grad
        assert gradient is not None
        is_first = "loss" not in state
        if is_first:
            state.update(s=[], y=[], rho=[], gamma=1.0, d=apart_like(gradient), g=apart_like(gradient).copy_(gradient))
        self._reserve(state, gradient)
        if not is_first:
            self._remember(state, gradient)
        direction = self._direction(state, gradient)
        slope = _dot(direction, gradient)
        if state["s"] and not slope < 0:
            # Rounding made the metric indefinite; start anew from steepest descent.
            self._spare += [*state["s"], *state["y"]]
            state.update(s=[], y=[], rho=[])
            direction, slope = direction.copy_(gradient).neg_(), -_dot(gradient, gradient)
        state.update(loss=loss, halvings=0, t=self._length(state, direction))
        parameter.add_(direction, alpha=state["t"])

    def _remember(self, state: dict[str, Any], gradient: Tensor) -> None:
        """Add the last step's curvature pair, s = t·d and y = change of the gradient, if it is sound."""
        group = self.param_groups[0]
        s, y = state["d"].mul_(state["t"]), state["g"].neg_().add_(gradient)
        product, ss, yy = _dot(s, y), _dot(s, s), _dot(y, y)
        if product > group["curvature"] * math.sqrt(ss * yy) > 0:
            if len(state["rho"]) == group["history"]:
                self._spare += [state["s"].pop(0), state["y"].pop(0)]
                del state["rho"][0]
            for name, vector in (("s", s), ("y", y)):
                state[name].append(self._spare.pop().copy_(vector))
            state["rho"].append(1 / product)
            state["gamma"] = product / yy
        state["g"].copy_(gradient)

    def _reserve(self, state: dict[str, Any], gradient: Tensor) -> None:
        """Take the memory of the whole history; zeros are written, since untouched pages are not taken yet."""
        missing = 2 * (self.param_groups[0]["history"] - len(state["s"])) - len(self._spare)
        self._spare += [apart_like(gradient, self.history_dtype).zero_() for _ in range(missing)]

    def _direction(self, state: dict[str, Any], gradient: Tensor) -> Tensor:
        """−H·g by the two-loop recursion, in the buffer ``d``."""
        direction: Tensor = state["d"].copy_(gradient).neg_()
        pairs = list(zip(state["s"], state["y"], state["rho"], strict=True))
        weights = []
        for s, y, rho in reversed(pairs):
            weights.append(rho * _dot(s, direction))
            _add(direction, y, -weights[-1])
        if pairs:
            direction.mul_(state["gamma"])
        for (s, y, rho), weight in zip(pairs, reversed(weights), strict=True):
            _add(direction, s, weight - rho * _dot(y, direction))
        return direction

    def _length(self, state: dict[str, Any], direction: Tensor) -> float:
        """The step's factor: the rate, cut where the step would be too long, or a given length without a history."""
        group = self.param_groups[0]
        size = math.sqrt(_dot(direction, direction) / direction.numel())
        if size == 0 or not math.isfinite(size):
            return 0.0
        if not state["s"]:
            return float(group["lr"] * group["first_step"] / size)
        return float(min(group["lr"], group["longest_step"] / size))


def _dot(a: Tensor, b: Tensor) -> float:
    """The inner product, in the wider of the two types part by part, with the parts added in double precision."""
    parts = zip(torch.split(a.reshape(-1), _PART), torch.split(b.reshape(-1), _PART), strict=True)
    dtype = torch.promote_types(a.dtype, b.dtype)
    return float(torch.stack([torch.dot(x.to(dtype), y.to(dtype)) for x, y in parts]).cpu().double().sum())


def _add(vector: Tensor, other: Tensor, factor: float) -> None:
    """vector += factor · other."""
    for x, y in zip(torch.split(vector.view(-1), _PART), torch.split(other.reshape(-1), _PART), strict=True):
        x.add_(y.to(x.dtype), alpha=factor)
