"""From a recipe to a finished run: set-up, the training loop, evaluation, the run's directory, checkpoints.

``toolkit.Run`` is public; the rest is private to the core.
"""
