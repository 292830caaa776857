"""The extensions that ship with the core, one file each, found through entry points like anyone else's.

Recipes name them; their modules are private to the core.
"""
