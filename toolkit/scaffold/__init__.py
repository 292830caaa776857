"""``vtk new-plugin``: a complete distribution from templates. Private to the core."""
