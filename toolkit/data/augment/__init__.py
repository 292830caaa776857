"""Augmentation: presets, albumentations, fused affine steps, whole batches, and chance as a function of the sample.

Public names are those in ``toolkit``; the rest is private to the core.
"""

from toolkit.moved import names_of_old

__getattr__ = names_of_old(__name__, "toolkit.data.augment.augment")
