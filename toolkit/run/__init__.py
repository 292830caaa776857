"""From a recipe to a finished run: the loop, its directory and its checkpoints."""
