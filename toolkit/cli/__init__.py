"""The command line: ``vtk``, one module a verb. Importing this package imports neither torch nor any plugin."""

from __future__ import annotations

from toolkit.cli.app import main

__all__ = ["main"]
