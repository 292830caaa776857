"""Values that rooms hand to each other: data, surveys, results, options, progress. Nothing of the toolkit is imported.

Everything a plugin may use of it has a public name in ``toolkit``; take it from there.
"""
