"""The decorators that mark hook specifications and hook implementations."""

from __future__ import annotations

import pluggy

PROJECT = "vtk"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
