"""One rule for laying a recipe over another: ``extends``, ``demo`` and ``--set`` all use it."""

from __future__ import annotations

from toolkit.recipe.nodes import Entry, MapNode, Node, ScalarNode


def overlay(base: MapNode, over: MapNode) -> MapNode:
    """A whole recipe laid over another; at the top ``name`` only names the run and replaces nothing."""
    return _merge_keys(base, over, top=True)


def merge(base: Node, over: Node) -> Node:
    """``base`` with ``over`` laid on it.

    Keys of mappings merge; lists and values are replaced. A mapping whose ``name`` differs from the base's is another
    section and replaces it.
    """
    if not isinstance(base, MapNode) or not isinstance(over, MapNode) or _renamed(base, over):
        return over
    return _merge_keys(base, over)


def _merge_keys(base: MapNode, over: MapNode, *, top: bool = False) -> MapNode:
    merged = dict(base.entries)
    for key, entry in over.entries.items():
        below = merged.get(key)
        merged[key] = entry if below is None else Entry(entry.key, _merge_entry(key, below.node, entry.node, top))
    return MapNode(merged, base.mark)


def _merge_entry(key: str, base: Node, over: Node, top: bool) -> Node:
    # The demo overlay is a recipe in itself, so its own `name` is the run's, too.
    if top and key == "demo" and isinstance(base, MapNode) and isinstance(over, MapNode):
        return _merge_keys(base, over)
    return merge(base, over)


def _renamed(base: MapNode, over: MapNode) -> bool:
    old, new = base.get("name"), over.get("name")
    if new is None:
        return False
    return not (isinstance(old, ScalarNode) and isinstance(new, ScalarNode) and old.value == new.value)
