"""The flags that the verbs have themselves, which a task therefore cannot give them."""

from __future__ import annotations

__all__ = ["RESERVED_FLAGS"]

# Plugins are examined where no command line has been built, so the names stand here; a test reads the commands.
RESERVED_FLAGS = {
    "--out": "run check tune",
    "--set": "run check tune bench",
    "--demo": "run check tune bench",
    "--resume": "run",
    "--accept": "run",
    "--device": "run check eval tune bench",
    "--quiet": "run",
    "-q": "run",
    "--trace-hooks": "run",
    "--json": "run check eval tune bench",
    "--no-plugins": "run check eval tune bench",
    "--traceback": "run check eval tune bench",
    "--help": "run check eval tune bench",
    "--data": "check",
    "--report": "check eval",
    "--no-report": "check",
    "--html": "check",
    "--split": "eval",
    "--lr": "tune",
    "--rates": "tune",
    "--from": "tune",
    "--to": "tune",
    "--seconds": "bench",
}
"""Flag → the verbs that have it."""
