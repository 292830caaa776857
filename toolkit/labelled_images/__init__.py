"""The kit for tasks on labelled images: data, model, loss, survey and test-time augmentation, above data and models.

The names below are building blocks for plugins, provisional until 1.0; what lies in the modules is private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lazy import lazy_names

if TYPE_CHECKING:
    from toolkit.inference.bundle_schema import LabelMeta, label_meta
    from toolkit.inference.outputs import file_outputs
    from toolkit.labelled_images.chosen_classes import load_chosen, told_aside
    from toolkit.labelled_images.data import batch_transform, build_preprocess, cut_for, fingerprint, fresh_cut
    from toolkit.labelled_images.data_sections import ClassNames, ImageData
    from toolkit.labelled_images.datasets import labelled_data, labelled_plan
    from toolkit.labelled_images.losses import (
        AsymmetricLoss,
        BinaryCrossEntropy,
        BinaryFocalLoss,
        CrossEntropy,
        FocalLoss,
        LabelledImageLoss,
    )
    from toolkit.labelled_images.model import build_model, planned_download, set_trainable
    from toolkit.labelled_images.model_sections import ImageStage, Inference, ModelChoice
    from toolkit.labelled_images.sample_sheet import sample_sheet
    from toolkit.labelled_images.survey import survey_images
    from toolkit.labelled_images.task import LabelledImageTask
    from toolkit.labelled_images.tta import with_views
    from toolkit.report.figure_text import figure_text

_HOMES = {
    "toolkit.inference.bundle_schema": "LabelMeta label_meta",
    "toolkit.inference.outputs": "file_outputs",
    "toolkit.labelled_images.chosen_classes": "load_chosen told_aside",
    "toolkit.labelled_images.data": "batch_transform build_preprocess cut_for fingerprint fresh_cut",
    "toolkit.labelled_images.data_sections": "ClassNames ImageData",
    "toolkit.labelled_images.datasets": "labelled_data labelled_plan",
    "toolkit.labelled_images.losses": "AsymmetricLoss BinaryCrossEntropy BinaryFocalLoss CrossEntropy FocalLoss "
    "LabelledImageLoss",
    "toolkit.labelled_images.model": "build_model planned_download set_trainable",
    "toolkit.labelled_images.model_sections": "ImageStage Inference ModelChoice",
    "toolkit.labelled_images.sample_sheet": "sample_sheet",
    "toolkit.labelled_images.survey": "survey_images",
    "toolkit.labelled_images.task": "LabelledImageTask",
    "toolkit.labelled_images.tta": "with_views",
    "toolkit.report.figure_text": "figure_text",
}
__all__ = [
    "AsymmetricLoss",
    "BinaryCrossEntropy",
    "BinaryFocalLoss",
    "ClassNames",
    "CrossEntropy",
    "FocalLoss",
    "ImageData",
    "ImageStage",
    "Inference",
    "LabelMeta",
    "LabelledImageLoss",
    "LabelledImageTask",
    "ModelChoice",
    "batch_transform",
    "build_model",
    "build_preprocess",
    "cut_for",
    "figure_text",
    "file_outputs",
    "fingerprint",
    "fresh_cut",
    "label_meta",
    "labelled_data",
    "labelled_plan",
    "load_chosen",
    "planned_download",
    "sample_sheet",
    "set_trainable",
    "survey_images",
    "told_aside",
    "with_views",
]
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
