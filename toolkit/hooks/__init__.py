"""Plugins: the specifications of hooks, the catalogue of what is installed, and the plugin manager of one run.

Hooks and ``toolkit.hookimpl`` are public, as ``plugins/README.md`` describes them; the rest is private to the core.
"""
