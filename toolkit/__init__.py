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

from toolkit.moved import redirect_old_names

if TYPE_CHECKING:
    from toolkit.data.io.decode import ImageError
    from toolkit.data.io.image_files import find_images, read_image, read_mask
    from toolkit.errors import ExitCode, VtkError
    from toolkit.hooks.specs import hookimpl
    from toolkit.inference.bundle import Bundle
    from toolkit.recipe.sections import Recipe, Section, StageSection
    from toolkit.run.run import Run
    from toolkit.types.data import Batch, BatchKey, Data, IndexBatch, SampleIndex
    from toolkit.types.options import OptimizerSetup, Option
    from toolkit.types.progress import Stage
    from toolkit.types.results import Figure, Result, Table
    from toolkit.types.survey import Survey, SurveyKeys, SurveyPart

_HOMES = {
    "Batch": "toolkit.types.data",
    "BatchKey": "toolkit.types.data",
    "Bundle": "toolkit.inference.bundle",
    "Data": "toolkit.types.data",
    "ExitCode": "toolkit.errors",
    "Figure": "toolkit.types.results",
    "ImageError": "toolkit.data.io.decode",
    "IndexBatch": "toolkit.types.data",
    "Option": "toolkit.types.options",
    "OptimizerSetup": "toolkit.types.options",
    "Recipe": "toolkit.recipe.sections",
    "Result": "toolkit.types.results",
    "Run": "toolkit.run.run",
    "SampleIndex": "toolkit.types.data",
    "Section": "toolkit.recipe.sections",
    "Stage": "toolkit.types.progress",
    "StageSection": "toolkit.recipe.sections",
    "Survey": "toolkit.types.survey",
    "SurveyKeys": "toolkit.types.survey",
    "SurveyPart": "toolkit.types.survey",
    "Table": "toolkit.types.results",
    "VtkError": "toolkit.errors",
    "find_images": "toolkit.data.io.image_files",
    "hookimpl": "toolkit.hooks.specs",
    "read_image": "toolkit.data.io.image_files",
    "read_mask": "toolkit.data.io.image_files",
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


redirect_old_names()
