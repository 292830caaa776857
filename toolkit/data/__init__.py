"""The data path: decoding, sources, splits, augmentation, loading.

The names below are building blocks for plugins, provisional until 1.0; what lies in the modules is private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lazy import lazy_names

if TYPE_CHECKING:
    from toolkit.data.augment.mixing import loss_targets
    from toolkit.data.io.decode import ImageError
    from toolkit.data.io.image_files import find_images, read_image, read_mask
    from toolkit.data.loading.balance import (
        EpochDraw,
        effective_number,
        inverse_frequency,
        label_rarity,
        positive_weights,
        resampled,
    )
    from toolkit.data.loading.datasets import build_dataset
    from toolkit.data.multi_hot import MultiHot
    from toolkit.data.preprocess import Preprocess
    from toolkit.data.sources import CoreSource, Digits, Folder, Pattern, SourceChoice, TorchvisionSet
    from toolkit.data.sources.csv_file import CsvFile, Row, column_values, location_keys, missing_files, require_files
    from toolkit.data.sources.folder import SPLIT_NAMES
    from toolkit.data.sources.index import Found, ImageArrays, ImageFiles, Index, class_map, joined, natural_key
    from toolkit.data.sources.listing import missing_rows, unlisted
    from toolkit.data.sources.missing import existing_file, existing_folder, listed
    from toolkit.data.sources.source import Source
    from toolkit.data.sources.stamps import stamps_of
    from toolkit.data.sources.survey import part_of, survey_of
    from toolkit.data.sources.table import Line, Table, bad_line, read_table
    from toolkit.data.sources.unicode_forms import LabelName, PathsOnDisk, composed
    from toolkit.data.splits.groups import GroupBy
    from toolkit.data.splits.splits import stratified
    from toolkit.types.imagenet import IMAGENET_MEAN, IMAGENET_STD
    from toolkit.types.stamps import Stamps

_HOMES = {
    "toolkit.data.augment.mixing": "loss_targets",
    "toolkit.data.io.decode": "ImageError",
    "toolkit.data.io.image_files": "find_images read_image read_mask",
    "toolkit.data.loading.balance": "EpochDraw effective_number inverse_frequency label_rarity positive_weights "
    "resampled",
    "toolkit.data.loading.datasets": "build_dataset",
    "toolkit.data.multi_hot": "MultiHot",
    "toolkit.data.preprocess": "Preprocess",
    "toolkit.data.sources": "CoreSource Digits Folder Pattern SourceChoice TorchvisionSet",
    "toolkit.data.sources.csv_file": "CsvFile Row column_values location_keys missing_files require_files",
    "toolkit.data.sources.folder": "SPLIT_NAMES",
    "toolkit.data.sources.index": "Found ImageArrays ImageFiles Index class_map joined natural_key",
    "toolkit.data.sources.listing": "missing_rows unlisted",
    "toolkit.data.sources.missing": "existing_file existing_folder listed",
    "toolkit.data.sources.source": "Source",
    "toolkit.data.sources.stamps": "stamps_of",
    "toolkit.data.sources.survey": "part_of survey_of",
    "toolkit.data.sources.table": "Line Table bad_line read_table",
    "toolkit.data.sources.unicode_forms": "LabelName PathsOnDisk composed",
    "toolkit.data.splits.groups": "GroupBy",
    "toolkit.data.splits.splits": "stratified",
    "toolkit.types.imagenet": "IMAGENET_MEAN IMAGENET_STD",
    "toolkit.types.stamps": "Stamps",
}
__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "SPLIT_NAMES",
    "CoreSource",
    "CsvFile",
    "Digits",
    "EpochDraw",
    "Folder",
    "Found",
    "GroupBy",
    "ImageArrays",
    "ImageError",
    "ImageFiles",
    "Index",
    "LabelName",
    "Line",
    "MultiHot",
    "PathsOnDisk",
    "Pattern",
    "Preprocess",
    "Row",
    "Source",
    "SourceChoice",
    "Stamps",
    "Table",
    "TorchvisionSet",
    "bad_line",
    "build_dataset",
    "class_map",
    "column_values",
    "composed",
    "effective_number",
    "existing_file",
    "existing_folder",
    "find_images",
    "inverse_frequency",
    "joined",
    "label_rarity",
    "listed",
    "location_keys",
    "loss_targets",
    "missing_files",
    "missing_rows",
    "natural_key",
    "part_of",
    "positive_weights",
    "read_image",
    "read_mask",
    "read_table",
    "require_files",
    "resampled",
    "stamps_of",
    "stratified",
    "survey_of",
    "unlisted",
]
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
