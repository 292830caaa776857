"""What is minimised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from toolkit import labelled_images as kit
from toolkit.data import positive_weights
from vtk_multilabel.config import AsymmetricLoss, BinaryCrossEntropyLoss, FocalLoss
from vtk_multilabel.data import require_labels

if TYPE_CHECKING:
    from vtk_multilabel.config import LossChoice


def build_loss(section: LossChoice, meta: dict[str, Any]) -> nn.Module:
    """The loss that the recipe names; ``meta`` has the training data's ``classes``, ``positives`` and ``images``."""
    if isinstance(section, FocalLoss):
        return kit.LabelledImageLoss(kit.BinaryFocalLoss(section.gamma, section.alpha, section.label_smoothing))
    if isinstance(section, AsymmetricLoss):
        return kit.LabelledImageLoss(
            kit.AsymmetricLoss(section.gamma_pos, section.gamma_neg, section.margin, section.label_smoothing)
        )
    return kit.LabelledImageLoss(kit.BinaryCrossEntropy(_pos_weight(section, meta), section.label_smoothing))


def _pos_weight(section: BinaryCrossEntropyLoss, meta: dict[str, Any]) -> list[float] | None:
    if section.pos_weight == "none":
        return None
    if section.pos_weight == "auto":
        return [float(weight) for weight in positive_weights(meta["positives"], meta["images"])]
    require_labels(section.pos_weight, meta["classes"], "loss.pos_weight")
    return [section.pos_weight.get(name, 1.0) for name in meta["classes"]]
