"""Recipes as text: parsing, merging, and values from the command line, each with its place. Private to the core."""
