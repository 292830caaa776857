"""The number format that a model answers in: the recipe's ``inference.precision``."""

from __future__ import annotations

from typing import Any

from torch import nn

from toolkit.system.nested import map_tensors
from toolkit.system.precision import PrecisionPlan

__all__ = ["InFormat", "answers_in"]


class InFormat(nn.Module):
    """A network that computes its answers in ``bf16`` under autocast and gives them in float32."""

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network, self.name = network, name
        # As the network stands: setting it by train() would wake the layers that it keeps frozen.
        self.training = network.training

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The network's answer, each floating tensor of it float32."""
        kind = next((p.device.type for p in self.network.parameters()), "cpu")
        with PrecisionPlan(self.name, "", kind).autocast():
            answer = self.network(*inputs, **named)
        return map_tensors(answer, lambda t: t.float() if t.is_floating_point() else t)


def answers_in(network: nn.Module, name: str) -> nn.Module:
    """The network as it answers in a format, the recipe's ``inference.precision``: itself in fp32."""
    return network if name == "fp32" else InFormat(network, name)
