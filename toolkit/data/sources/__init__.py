"""Where labelled pictures come from: one section a kind, chosen by ``name``, all giving the same index.

A task that brings a kind of its own adds it to the union::

    source: Annotated[CoreSource | Drawn, Field(discriminator="name")]
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from toolkit.data.sources.csv_file import CsvFile
from toolkit.data.sources.digits import Digits
from toolkit.data.sources.folder import Folder
from toolkit.data.sources.index import Found, ImageArrays, ImageFiles
from toolkit.data.sources.pattern import Pattern
from toolkit.data.sources.source import Source
from toolkit.data.sources.torchvision_sets import TorchvisionSet

__all__ = [
    "CoreSource",
    "CsvFile",
    "Digits",
    "Folder",
    "Found",
    "ImageArrays",
    "ImageFiles",
    "Pattern",
    "Source",
    "SourceChoice",
    "TorchvisionSet",
]

CoreSource = Folder | Pattern | CsvFile | TorchvisionSet | Digits
SourceChoice = Annotated[CoreSource, Field(discriminator="name")]
