"""``python -m toolkit.cli`` is ``vtk``."""

from __future__ import annotations

import sys

from toolkit.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
