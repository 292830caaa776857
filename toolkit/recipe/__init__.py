"""From recipe text to a validated recipe with the place and origin of each value.

The names below are building blocks for plugins, provisional until 1.0; what lies in the modules is private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lazy import lazy_names

if TYPE_CHECKING:
    from toolkit.recipe.embedded import save_options
    from toolkit.recipe.sections import InferenceSection, LoaderSection, TrainSection

_HOMES = {
    "toolkit.recipe.embedded": "save_options",
    "toolkit.recipe.sections": "InferenceSection LoaderSection TrainSection",
}
__all__ = [
    "InferenceSection",
    "LoaderSection",
    "TrainSection",
    "save_options",
]
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
