"""What is minimised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from toolkit.data.mixing import loss_targets
from toolkit.models.losses import CrossEntropy

if TYPE_CHECKING:
    from vtk_classification import config


class BatchLoss(nn.Module):
    """``loss(logits, batch)`` → the mean over the batch. Logits have shape (n, classes)."""

    def __init__(self, criterion: nn.Module) -> None:
        super().__init__()
        self.criterion = criterion

    def forward(self, logits: Tensor, batch: Any) -> Tensor:
        """The criterion over what the batch wants: class positions (n,), or mixtures (n, classes)."""
        loss: Tensor = self.criterion(logits, loss_targets(batch))
        return loss


def build_loss(section: config.CrossEntropy) -> BatchLoss:
    """The loss that the recipe names."""
    return BatchLoss(CrossEntropy(smoothing=section.label_smoothing))
