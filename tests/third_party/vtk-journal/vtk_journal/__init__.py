"""A journal of all runs for vision-toolkit: recipe, machine, losses and metrics, in files and on a page."""
