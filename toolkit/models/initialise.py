"""First weights for networks that are trained from nothing."""

from __future__ import annotations

from torch import nn

__all__ = ["he_normal"]


def he_normal(model: nn.Module, head: nn.Module | None = None) -> None:
    """Weights from N(0, 2 / fan-in) and biases of 0 in convolutions and linear layers, in place.

    Then signals keep their variance from one ReLU layer to the next, however deep the network. Norms keep their ones
    and zeros. He, Zhang, Ren, Sun: Delving Deep into Rectifiers, 2015. torch's own default has a sixth of the variance
    and random biases.

    Args:
        head: the layer that makes the classes; left as it is, for no ReLU follows it and first answers should be even.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and module is not head:
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
