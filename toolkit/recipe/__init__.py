"""From the text of a recipe to a typed, complete recipe in which each value knows its place and origin.

``toolkit.Recipe``, ``Section`` and ``StageSection`` are public; the rest is private to the core.
"""
