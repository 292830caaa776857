"""What is minimised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from toolkit import ExitCode, VtkError
from toolkit import labelled_images as kit
from toolkit.data import effective_number, inverse_frequency, listed
from vtk_classification.config import FocalLoss

if TYPE_CHECKING:
    from vtk_classification.config import LossChoice

_BETA = 0.999


def build_loss(section: LossChoice, meta: dict[str, Any]) -> nn.Module:
    """The loss that the recipe names; ``meta`` has the training data's ``classes`` and their ``counts``."""
    weights = class_weights(section, meta)
    if isinstance(section, FocalLoss):
        return kit.LabelledImageLoss(kit.FocalLoss(section.gamma, weights, section.label_smoothing))
    return kit.LabelledImageLoss(kit.CrossEntropy(weights, section.label_smoothing))


def class_weights(section: LossChoice, meta: dict[str, Any]) -> list[float] | None:
    """One factor a class, or None.

    Raises:
        VtkError: the recipe weighs a class that there is not.
    """
    chosen = section.class_weights
    if chosen == "none":
        return None
    if chosen == "auto":
        return [float(weight) for weight in inverse_frequency(meta["counts"])]
    if chosen == "effective_number":
        return [float(weight) for weight in effective_number(meta["counts"], section.beta or _BETA)]
    unknown = [name for name in chosen if name not in meta["classes"]]
    if unknown:
        raise VtkError(
            f"there is no class {listed(unknown)}",
            place="loss.class_weights",
            hint=f"the classes are {listed(meta['classes'])}",
            code=ExitCode.RECIPE,
        )
    return [chosen.get(name, 1.0) for name in meta["classes"]]
