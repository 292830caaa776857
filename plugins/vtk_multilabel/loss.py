"""What is minimised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from toolkit.data.augment.mixing import loss_targets
from toolkit.data.loading.balance import positive_weights
from toolkit.labelled_images import losses
from vtk_multilabel.config import AsymmetricLoss, BinaryCrossEntropyLoss, FocalLoss
from vtk_multilabel.data import require_labels

if TYPE_CHECKING:
    from vtk_multilabel.config import LossChoice


class MultilabelLoss(nn.Module):
    """A loss on logits and multi-hot targets, as the loop calls it: with the whole batch."""

    def __init__(self, on_targets: nn.Module) -> None:
        super().__init__()
        self.on_targets = on_targets

    def forward(self, logits: Tensor, batch: Any) -> Tensor:
        """``(n, labels)`` and a batch with targets of that shape, whole or mixed → scalar."""
        loss: Tensor = self.on_targets(logits, loss_targets(batch))
        return loss


def build_loss(section: LossChoice, meta: dict[str, Any]) -> nn.Module:
    """The loss that the recipe names; ``meta`` has the training data's ``classes``, ``positives`` and ``images``."""
    if isinstance(section, FocalLoss):
        return MultilabelLoss(losses.BinaryFocalLoss(section.gamma, section.alpha, section.label_smoothing))
    if isinstance(section, AsymmetricLoss):
        return MultilabelLoss(
            losses.AsymmetricLoss(section.gamma_pos, section.gamma_neg, section.margin, section.label_smoothing)
        )
    return MultilabelLoss(losses.BinaryCrossEntropy(_pos_weight(section, meta), section.label_smoothing))


def _pos_weight(section: BinaryCrossEntropyLoss, meta: dict[str, Any]) -> list[float] | None:
    if section.pos_weight == "none":
        return None
    if section.pos_weight == "auto":
        return [float(weight) for weight in positive_weights(meta["positives"], meta["images"])]
    require_labels(section.pos_weight, meta["classes"], "loss.pos_weight")
    return [section.pos_weight.get(name, 1.0) for name in meta["classes"]]
