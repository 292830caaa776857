"""The report of a run: one page, its figures, and what it lacks. Private to the core."""
