"""The command line: ``vtk``, one module a verb. Importing this package imports neither torch nor any plugin.

``main`` is public; the rest is private to the core.
"""

from __future__ import annotations

from toolkit.cli.app import main

__all__ = ["main"]
