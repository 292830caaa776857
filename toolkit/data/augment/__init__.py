"""Augmentation: presets, albumentations, fused affine steps, whole batches, and chance as a function of the sample.

Public names are those in ``toolkit``; the rest is private to the core.
"""
