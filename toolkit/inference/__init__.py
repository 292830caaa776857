"""A trained model as an artefact: the bundle, what it answers, and predicting files with it.

``toolkit.Bundle`` is public; the rest is private to the core.
"""
