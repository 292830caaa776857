"""One rule for laying a recipe over another: ``extends``, ``demo`` and ``--set`` all use it."""

from __future__ import annotations

from toolkit.recipe.yaml.nodes import Entry, MapNode, Node, ScalarNode


def overlay(base: MapNode, over: MapNode) -> MapNode:
    """A whole recipe laid over another; at the top ``name`` only names the run and replaces nothing.

    Where ``over`` replaces a section, what the base's demo changed in that section goes with it.
    """
    demo = base.entries.get("demo")
    if demo is not None and isinstance(demo.node, MapNode):
        base = base.with_entry("demo", Entry(demo.key, _still_meant(demo.node, base, over)))
    return _merge_keys(base, over, top=True)


def _still_meant(demo: MapNode, base: MapNode, over: MapNode) -> MapNode:
    """``demo`` without its changes to sections that ``over`` replaces. One that has a ``name`` stands for itself."""
    kept = {}
    for key, entry in demo.entries.items():
        old, new = base.get(key), over.get(key)
        if isinstance(entry.node, MapNode) and isinstance(old, MapNode) and isinstance(new, MapNode):
            if _renamed(old, new):
                if "name" in entry.node.entries:
                    kept[key] = entry
                continue
            entry = Entry(entry.key, _still_meant(entry.node, old, new))
        kept[key] = entry
    return MapNode(kept, demo.mark)


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
