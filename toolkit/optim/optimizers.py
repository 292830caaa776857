"""The core's answer to ``vtk_optimizer``: built by name from the recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from toolkit.errors import ExitCode, VtkError
from toolkit.optim.groups import parameter_groups
from toolkit.optim.optimizer_sections import LBFGS, SGD, Adam, AdamW
from toolkit.optim.schedules import scheduled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolkit.types.options import OptimizerSetup
    from toolkit.types.progress import Stage


class _LBFGS(torch.optim.LBFGS):
    """PyTorch's own, which takes gradients in the channels-last format for contiguous ones and fails."""

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        def contiguous() -> Any:
            loss = closure()
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        parameter.grad = parameter.grad.contiguous()
            return loss

        return super().step(contiguous)  # type: ignore[no-untyped-call]


def build_optimizer(model: nn.Module, stage: Stage) -> OptimizerSetup:
    """The stage's optimizer over the parameters that require gradients, with its schedule.

    Raises:
        VtkError: every parameter is frozen.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise VtkError(
            f"stage {stage.name!r} has nothing to train: every parameter is frozen",
            hint="Unfreeze a part of the model in this stage.",
            code=ExitCode.RECIPE,
        )
    optimizer = make_optimizer(stage.optimizer, _grouped(model, stage.optimizer) or parameters)
    return scheduled(optimizer, stage)


def _grouped(model: nn.Module, section: Any) -> list[dict[str, Any]]:
    """Groups with rates and decays of their own, the fastest first; empty where all are alike."""
    if isinstance(section, LBFGS) or (section.decay_norms_and_biases and section.layer_decay is None):
        return []
    return parameter_groups(
        model,
        lr=section.lr,
        weight_decay=section.weight_decay,
        decay_norms_and_biases=section.decay_norms_and_biases,
        layer_decay=section.layer_decay,
    )


def make_optimizer(section: Any, parameters: Sequence[Any]) -> torch.optim.Optimizer:
    """The optimizer that a recipe section names, over parameters or groups of them; fused where the device can."""
    flat = [p for item in parameters for p in (item["params"] if isinstance(item, dict) else [item])]
    fused = all(p.device.type in {"cpu", "cuda"} and p.is_floating_point() for p in flat)
    if isinstance(section, SGD):
        return torch.optim.SGD(
            parameters,
            lr=section.lr,
            momentum=section.momentum,
            nesterov=section.nesterov,
            weight_decay=section.weight_decay,
            fused=fused,
        )
    if isinstance(section, LBFGS):
        search = None if section.line_search == "none" else section.line_search
        # One iteration a step; torch would end a line search after its first evaluation without max_eval.
        return _LBFGS(
            parameters, lr=section.lr, max_iter=1, max_eval=30, history_size=section.history, line_search_fn=search
        )
    assert isinstance(section, Adam | AdamW)
    kind = torch.optim.Adam if isinstance(section, Adam) else torch.optim.AdamW
    return kind(
        parameters,
        lr=section.lr,
        betas=(section.beta1, section.beta2),
        eps=section.eps,
        weight_decay=section.weight_decay,
        fused=fused,
    )
