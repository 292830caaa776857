"""Optimizers, learning-rate schedules and parameter groups, with the recipe sections that name them.

Private to the core.
"""
