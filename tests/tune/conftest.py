"""The toy task and its runs."""

from toy_runs import catalogue, console, make_run, recipe

__all__ = ["catalogue", "console", "make_run", "recipe"]
