"""The core's answers to hooks of a trained model, where its task gives none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.specs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["InferenceDefaults"]


class InferenceDefaults:
    """What happens where the task does not answer."""

    @hookimpl
    def vtk_predict(self, bundle: object, inputs: Sequence[Path]) -> list[dict[str, Any]]:
        """Refuse: the core cannot know what a task's outputs mean."""
        raise VtkError(
            "this task's plugin does not say how to predict",
            hint="The plugin's author adds it with the hook vtk_predict.",
            code=ExitCode.UNAVAILABLE,
        )
