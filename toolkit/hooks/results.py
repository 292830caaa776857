"""What a hook may answer. Checked where the answer is used, so that a wrong one is told as its plugin's and not as an
error deep within the core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.entry import Plugin


@dataclass(frozen=True)
class Answer:
    """What a hook may answer besides None: the test, and in words."""

    fits: Callable[[Any], bool]
    wanted: str


def _is_data(answer: Any) -> bool:
    from toolkit.types.data import Data

    return isinstance(answer, Data)


def _is_survey(answer: Any) -> bool:
    from toolkit.types.survey import Survey

    return isinstance(answer, Survey)


def _is_module(answer: Any) -> bool:
    from torch import nn

    return isinstance(answer, nn.Module)


def _is_optimizer(answer: Any) -> bool:
    from torch.optim import Optimizer

    from toolkit.types.options import OptimizerSetup

    return isinstance(answer.optimizer if isinstance(answer, OptimizerSetup) else answer, Optimizer)


def _is_metrics(answer: Any) -> bool:
    from torchmetrics import MetricCollection

    return isinstance(answer, MetricCollection)


def _are_records(answer: Any) -> bool:
    return isinstance(answer, list | tuple) and all(isinstance(record, Mapping) for record in answer)


def _are_report_items(answer: Any) -> bool:
    from toolkit.types.results import Figure, Table

    return isinstance(answer, list | tuple) and all(isinstance(item, Figure | Table) for item in answer)


ANSWERS: dict[str, Answer] = {
    "vtk_data": Answer(_is_data, "it must return toolkit.Data(train=..., val=..., meta=...)"),
    "vtk_survey": Answer(_is_survey, 'it must return a toolkit.Survey(place=..., parts={"train": ...}), or None'),
    "vtk_model": Answer(_is_module, "it must return a torch.nn.Module, made and not its class"),
    "vtk_loss": Answer(callable, "it must return a function: loss(output, batch) gives the loss of one batch"),
    "vtk_optimizer": Answer(
        _is_optimizer, "it must return a torch.optim.Optimizer, or toolkit.OptimizerSetup(optimizer, scheduler)"
    ),
    "vtk_metrics": Answer(
        _is_metrics, 'it must return torchmetrics.MetricCollection({"name": metric, ...}), or None for no metrics'
    ),
    "vtk_inference": Answer(_is_module, "it must return a torch.nn.Module, or None for the model itself"),
    "vtk_predict": Answer(_are_records, "it must return a list with one dict for each file, in the order of inputs"),
    "vtk_report": Answer(_are_report_items, "it must return a list of toolkit.Figure and toolkit.Table, or None"),
}


def check_answer(hook: str, answer: Any, owner: Plugin | None) -> None:
    """Refuses what a hook may not answer; None is for the caller to judge.

    Raises:
        VtkError: names hook, plugin and distribution, what came, and what must come.
    """
    expected = ANSWERS[hook]
    if answer is not None and not expected.fits(answer):
        raise wrong_answer(f"{hook} of {owner_name(owner)} returned {type_name(answer)}", expected.wanted)


def wrong_answer(message: str, wanted: str) -> VtkError:
    """The error for an answer that the plugin's author must mend."""
    return VtkError(message, hint=wanted, code=ExitCode.UNAVAILABLE)


def owner_name(owner: Plugin | None) -> str:
    """``the task 'denoise' (vtk-denoise 0.1.0)``."""
    return "the core" if owner is None else f"the {owner.kind} {owner.name!r} ({owner.owner})"


def type_name(answer: Any) -> str:
    """An answer in a few words: a small value itself, else its type, with what is in it where that is what is wrong."""
    if answer is None or isinstance(answer, bool):
        return str(answer)
    if isinstance(answer, type):
        return f"the class {answer.__name__}"
    if isinstance(answer, int | float | str):
        text = repr(answer)
        return f"the {type(answer).__name__} {text if len(text) <= 40 else text[:39] + '…'}"
    if isinstance(answer, list | tuple) and answer:
        kinds = list(dict.fromkeys(type(item).__name__ for item in answer))
        return f"a {type(answer).__name__} of {len(answer)} ({', '.join(kinds[:3])}{', …' if len(kinds) > 3 else ''})"
    if hasattr(answer, "shape") and hasattr(answer, "dtype"):
        return f"a {type(answer).__name__} of shape {tuple(answer.shape)}"
    if callable(answer) and hasattr(answer, "__name__"):
        return f"the function {answer.__name__}"
    kind = type(answer).__name__
    return f"{'an' if kind[0] in 'AEIOaeio' else 'a'} {kind}"
