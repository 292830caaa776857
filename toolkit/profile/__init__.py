"""``vtk bench``: where the time of training goes, and what to change. Private to the core."""
