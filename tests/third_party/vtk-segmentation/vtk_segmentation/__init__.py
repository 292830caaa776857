"""Semantic segmentation for vision-toolkit: a class for every pixel."""
