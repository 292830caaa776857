"""Backbones, freezing, and the saved-model bundle."""
