"""``vtk tune``: finding settings before training. Private to the core."""
