"""What trains and what does not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from toolkit.errors import ExitCode, VtkError
from toolkit.models.heads import head_parameters


def train_all(model: nn.Module) -> None:
    """Every parameter trains."""
    model.requires_grad_(True)


def train_head(model: nn.Module) -> None:
    """Only the layer that makes the classes trains."""
    train_only(model, head_parameters(model))


def train_only(model: nn.Module, names: Iterable[str]) -> None:
    """Only the named parameters train."""
    wanted = set(names)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in wanted)


def matching(model: nn.Module, patterns: Sequence[str], *, place: str | None = None) -> list[str]:
    """Names of the parameters that any of the shell-style patterns fits, in the model's order.

    A pattern fits a parameter if it fits its name or the name of a module that it is in: ``layer4`` and ``layer4.*``
    take the whole of ``layer4``. ``head`` stands for the classifier, whatever the model calls it.

    Raises:
        VtkError: for a pattern that fits nothing.
    """
    names = [name for name, _ in model.named_parameters()]
    chosen: set[str] = set()
    for pattern in patterns:
        found = head_parameters(model) if pattern == "head" else [name for name in names if _fits(name, pattern)]
        if not found:
            raise _fits_nothing(names, pattern, place)
        chosen.update(found)
    return [name for name in names if name in chosen]


def set_train_mode(model: nn.Module) -> None:
    """``model.train()``, but a norm that keeps running statistics and does not train stays as it is in evaluation.

    A norm without parameters of its own goes by those of the module that it is in.
    """
    model.train()
    for module in model.modules():
        for child in module.children():
            if isinstance(child, _NormBase) and not _trains(child, module):
                child.eval()


def _fits(name: str, pattern: str) -> bool:
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:depth]), pattern) for depth in range(1, len(parts) + 1))


def _fits_nothing(names: list[str], pattern: str, place: str | None) -> VtkError:
    modules = dict.fromkeys(".".join(name.split(".")[:depth]) for name in names for depth in (1, 2, 3))
    near = get_close_matches(pattern.rstrip(".*"), modules, n=4, cutoff=0.4) or list(modules)[:8]
    return VtkError(
        f"no parameter fits the pattern {pattern!r}",
        place=place,
        hint=f"the model has {', '.join(near)}",
        code=ExitCode.RECIPE,
    )


def _trains(norm: nn.Module, parent: nn.Module) -> bool:
    parameters = list(norm.parameters()) or list(parent.parameters())
    return not parameters or any(parameter.requires_grad for parameter in parameters)
