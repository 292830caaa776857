"""The plugin author's API of vision-toolkit. Importing it imports no torch.

    from toolkit import Data, Recipe, Section, hookimpl

    class Task:
        @hookimpl
        def vtk_config(self): ...

Every name below is stable within a major version; anything that is not listed here is private to the core.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.data.decode import ImageError
    from toolkit.data.image_files import find_images, read_image, read_mask
    from toolkit.data.types import Batch, BatchKey, Data, IndexBatch, SampleIndex
    from toolkit.errors import ExitCode, VtkError
    from toolkit.hooks.markers import hookimpl
    from toolkit.hooks.types import OptimizerSetup, Option
    from toolkit.models.bundle import Bundle
    from toolkit.recipe.sections import Recipe, Section, StageSection
    from toolkit.run.report import Figure, Result, Table
    from toolkit.run.run import Run
    from toolkit.types.progress import Stage
    from toolkit.types.survey import Survey, SurveyKeys, SurveyPart

_HOMES = {
    "Batch": "toolkit.data.types",
    "BatchKey": "toolkit.data.types",
    "Bundle": "toolkit.models.bundle",
    "Data": "toolkit.data.types",
    "ExitCode": "toolkit.errors",
    "Figure": "toolkit.run.report",
    "ImageError": "toolkit.data.decode",
    "IndexBatch": "toolkit.data.types",
    "Option": "toolkit.hooks.types",
    "OptimizerSetup": "toolkit.hooks.types",
    "Recipe": "toolkit.recipe.sections",
    "Result": "toolkit.run.report",
    "Run": "toolkit.run.run",
    "SampleIndex": "toolkit.data.types",
    "Section": "toolkit.recipe.sections",
    "Stage": "toolkit.types.progress",
    "StageSection": "toolkit.recipe.sections",
    "Survey": "toolkit.types.survey",
    "SurveyKeys": "toolkit.types.survey",
    "SurveyPart": "toolkit.types.survey",
    "Table": "toolkit.run.report",
    "VtkError": "toolkit.errors",
    "find_images": "toolkit.data.image_files",
    "hookimpl": "toolkit.hooks.markers",
    "read_image": "toolkit.data.image_files",
    "read_mask": "toolkit.data.image_files",
}

__all__ = [
    "Batch",
    "BatchKey",
    "Bundle",
    "Data",
    "ExitCode",
    "Figure",
    "ImageError",
    "IndexBatch",
    "OptimizerSetup",
    "Option",
    "Recipe",
    "Result",
    "Run",
    "SampleIndex",
    "Section",
    "Stage",
    "StageSection",
    "Survey",
    "SurveyKeys",
    "SurveyPart",
    "Table",
    "VtkError",
    "find_images",
    "hookimpl",
    "read_image",
    "read_mask",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
