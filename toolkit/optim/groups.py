"""Parameter groups: what decays, and how fast each depth learns."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from torch import nn

from toolkit.errors import ExitCode, VtkError
from toolkit.models.heads import blocks

# Scales, tokens and embeddings of positions that are no vectors, as torchvision's transformers and ConvNeXt call them;
# timm's say so themselves. cpb_mlp makes Swin v2's position biases.
_UNDECAYED = frozenset(
    ("class_token", "pos_embedding", "relative_position_bias_table", "cpb_mlp", "logit_scale", "layer_scale")
)

__all__ = ["depth_factors", "parameter_groups", "undecayed"]


def parameter_groups(
    model: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    decay_norms_and_biases: bool = True,
    layer_decay: float | None = None,
) -> list[dict[str, Any]]:
    """The parameters that require gradients, grouped for an optimizer; the fastest learning group first.

    Args:
        model: with at least one parameter that requires a gradient.
        lr: rate of the head, or of everything where ``layer_decay`` is None.
        weight_decay: of the parameters that decay.
        decay_norms_and_biases: whether those of :func:`undecayed` do.
        layer_decay: see :func:`depth_factors`.

    Returns:
        Mappings with ``params``, ``lr`` and ``weight_decay``, in an order that depends on the model alone.

    Raises:
        VtkError: ``layer_decay`` for a model without an order of depth.
    """
    kept = frozenset[str]() if decay_norms_and_biases else undecayed(model)
    factors = {} if layer_decay is None else depth_factors(model, layer_decay)
    found: dict[tuple[float, bool], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            found[factors.get(name, 1.0), name not in kept].append(parameter)
    ordered = sorted(found.items(), key=lambda item: item[0], reverse=True)
    return [
        {"params": parameters, "lr": lr * factor, "weight_decay": weight_decay if decays else 0.0}
        for (factor, decays), parameters in ordered
    ]


def undecayed(model: nn.Module) -> frozenset[str]:
    """Names of norms' parameters, of biases, and of what the model itself wants to keep (position embeddings, tokens).

    Pulling a scale or an offset towards zero limits no function that the network could compute; Goyal et al., Accurate,
    Large Minibatch SGD, 2017, leave them out.
    """
    own = getattr(model, "no_weight_decay", None)
    named = set(own()) if callable(own) else set()
    return frozenset(
        name
        for name, parameter in model.named_parameters()
        if parameter.ndim <= 1 or name in named or not _UNDECAYED.isdisjoint(name.split("."))
    )


def depth_factors(model: nn.Module, decay: float) -> dict[str, float]:
    """``decay^(blocks above)`` for each parameter: 1 for the head, less the nearer a block is to the input.

    Clark, Luong, Le, Manning: ELECTRA, 2020; Bao, Dong, Piao, Wei: BEiT, 2022.

    Raises:
        VtkError: the model has no head, so nobody knows which way depth goes.
    """
    try:
        ordered = blocks(model)
    except LookupError as error:
        raise VtkError(
            f"layer_decay needs to know the model's depth: {error}",
            place="optimizer.layer_decay",
            hint="leave layer_decay out",
            code=ExitCode.RECIPE,
        ) from error
    return {name: decay ** (len(ordered) - 1 - depth) for depth, names in enumerate(ordered) for name in names}
