"""The parts of a classifier: its head, and its blocks in order of depth. For timm, torchvision and own models alike."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

# Where torchvision's classifiers keep the layers that are theirs to replace; each has exactly one of these.
_TORCHVISION_HEADS = ("fc", "heads", "head", "classifier")
_MAKES_CLASSES = (nn.Linear, nn.Conv2d)


def heads(model: nn.Module) -> dict[str, nn.Module]:
    """The layers that turn features into one output a class, by module name.

    A model that has ``get_classifier()`` (timm's, and those of this toolkit) is asked; of torchvision's it is the last
    linear layer (SqueezeNet: convolution) of the classifier. Nearly always one; distilled vision transformers have two.

    Raises:
        LookupError: if the model is of none of these kinds.
    """
    ask: Any = getattr(model, "get_classifier", None)
    if ask is not None:
        wanted = [module for module in _flat(ask()) if isinstance(module, nn.Module)]
        return {name: module for name, module in model.named_modules() if any(module is other for other in wanted)}
    for attribute in _TORCHVISION_HEADS:
        container = getattr(model, attribute, None)
        if isinstance(container, nn.Module):
            inside = container.named_modules(prefix=attribute)
            layers = [(name, module) for name, module in inside if isinstance(module, _MAKES_CLASSES)]
            return dict(layers[-1:])
    raise LookupError(f"{type(model).__name__} has no layer known as its head; give it get_classifier()")


def head_parameters(model: nn.Module) -> list[str]:
    """Names of the head's parameters."""
    return [f"{prefix}.{name}" for prefix, module in heads(model).items() for name, _ in module.named_parameters()]


def blocks(model: nn.Module) -> list[list[str]]:
    """All parameter names, in groups from the input to the head, for learning rates that differ by depth.

    timm's models say themselves how they group. Of others each child is a group, containers are opened, norms join the
    layer that they follow, parameters that the model holds directly join the first group, and the head is the last.
    """
    matcher: Any = getattr(model, "group_matcher", None)
    if matcher is not None:
        from timm.models import group_parameters

        grouped: dict[int, list[str]] = group_parameters(model, matcher(coarse=False))
        return [names for _, names in sorted(grouped.items())]
    return _by_children(model)


def _by_children(model: nn.Module) -> list[list[str]]:
    groups: list[list[str]] = []
    for prefix, module in _opened(model, ""):
        names = [f"{prefix}.{name}" for name, _ in module.named_parameters()]
        if groups and isinstance(module, _NormBase | nn.LayerNorm):
            groups[-1].extend(names)
        elif names:
            groups.append(names)
    grouped = {name for group in groups for name in group}
    groups[:1] = [[name for name, _ in model.named_parameters() if name not in grouped] + groups[0]]
    head = head_parameters(model)
    body = [[name for name in group if name not in head] for group in groups]
    return [group for group in [*body, head] if group]


def _opened(module: nn.Module, prefix: str) -> list[tuple[str, nn.Module]]:
    """The children in order, with sequences and encoders replaced by what they hold."""
    found: list[tuple[str, nn.Module]] = []
    for name, child in module.named_children():
        full = f"{prefix}.{name}" if prefix else name
        is_container = isinstance(child, nn.Sequential | nn.ModuleList) or name == "encoder"
        found.extend(_opened(child, full) if is_container else [(full, child)])
    return found


def _flat(value: Any) -> list[Any]:
    return [inner for item in value for inner in _flat(item)] if isinstance(value, list | tuple) else [value]
