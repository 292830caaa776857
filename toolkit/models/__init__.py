"""Networks: backbones of torchvision and timm, own CNNs, heads, freezing, weights from outside.

The names below are building blocks for plugins, provisional until 1.0; what lies in the modules is private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lazy import lazy_names

if TYPE_CHECKING:
    from toolkit.models.backbones import Backbone, create, published
    from toolkit.models.cnn import Cnn
    from toolkit.models.ema import Ema
    from toolkit.models.freeze import matching, set_train_mode, train_all, train_head, train_only
    from toolkit.models.heads import blocks, head_parameters, heads
    from toolkit.models.initialise import he_normal
    from toolkit.models.weights import hub_folder, load_state, read_state

_HOMES = {
    "toolkit.models.backbones": "Backbone create published",
    "toolkit.models.cnn": "Cnn",
    "toolkit.models.ema": "Ema",
    "toolkit.models.freeze": "matching set_train_mode train_all train_head train_only",
    "toolkit.models.heads": "blocks head_parameters heads",
    "toolkit.models.initialise": "he_normal",
    "toolkit.models.weights": "hub_folder load_state read_state",
}
__all__ = [
    "Backbone",
    "Cnn",
    "Ema",
    "blocks",
    "create",
    "he_normal",
    "head_parameters",
    "heads",
    "hub_folder",
    "load_state",
    "matching",
    "published",
    "read_state",
    "set_train_mode",
    "train_all",
    "train_head",
    "train_only",
]
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
