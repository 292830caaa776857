"""A recipe as a tree of nodes, each of which knows where it was written.

Nodes are immutable: overlays and assignments build new trees that share what they leave alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from toolkit.recipe.mark import Mark

Value: TypeAlias = "bool | int | float | str | None"
Path: TypeAlias = "tuple[str | int, ...]"


@dataclass(frozen=True)
class ScalarNode:
    """A single value. ``text`` is what was written; ``plain`` says that it had no quotes around it."""

    value: Value
    mark: Mark
    text: str = ""
    plain: bool = True


@dataclass(frozen=True)
class ListNode:
    """A list."""

    items: tuple[Node, ...]
    mark: Mark


@dataclass(frozen=True)
class Entry:
    """One key of a mapping: where the key was written, and its value."""

    key: Mark
    node: Node

    def noted(self, note: str) -> Entry:
        """The same entry with ``note`` on every mark in it."""
        return Entry(replace(self.key, note=note), _noted(self.node, note))


@dataclass(frozen=True)
class MapNode:
    """A mapping, in the order in which it was written."""

    entries: Mapping[str, Entry]
    mark: Mark

    def get(self, key: str) -> Node | None:
        entry = self.entries.get(key)
        return None if entry is None else entry.node

    def with_entry(self, key: str, entry: Entry) -> MapNode:
        return replace(self, entries={**self.entries, key: entry})

    def at(self, mark: Mark) -> MapNode:
        return replace(self, mark=mark)

    def without(self, *keys: str) -> MapNode:
        return replace(self, entries={k: e for k, e in self.entries.items() if k not in keys})


Node: TypeAlias = "ScalarNode | ListNode | MapNode"


def to_python(node: Node) -> Any:
    """The tree as plain dicts, lists and scalars."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, ListNode):
        return [to_python(item) for item in node.items]
    return {key: to_python(entry.node) for key, entry in node.entries.items()}


def from_python(value: Any, mark: Mark) -> Node:
    """JSON-able ``value`` as a tree, every node of it at ``mark``."""
    if isinstance(value, Mapping):
        return mapping(value, mark)
    if isinstance(value, list | tuple):
        return ListNode(tuple(from_python(item, mark) for item in value), mark)
    return ScalarNode(value, mark, text=str(value), plain=not isinstance(value, str))


def mapping(value: Mapping[str, Any], mark: Mark) -> MapNode:
    """A JSON-able mapping as a tree, every node of it at ``mark``."""
    return MapNode({str(key): Entry(mark, from_python(item, mark)) for key, item in value.items()}, mark)


def child(node: Node, part: str | int) -> Node | None:
    """The value under a key or an index, or None."""
    if isinstance(node, MapNode):
        return node.get(str(part))
    if isinstance(node, ListNode) and isinstance(part, int) and 0 <= part < len(node.items):
        return node.items[part]
    return None


def find(node: Node, path: Path) -> Node | None:
    """The node at ``path``, or None."""
    found: Node | None = node
    for part in path:
        found = None if found is None else child(found, part)
    return found


def key_mark(root: Node, path: Path) -> Mark:
    """Where the key at the end of ``path`` was written; of a list's item, or of the root, where its value begins."""
    if path:
        parent = find(root, path[:-1])
        if isinstance(parent, MapNode) and str(path[-1]) in parent.entries:
            return parent.entries[str(path[-1])].key
    node = find(root, path)
    return node.mark if node is not None else root.mark


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Each leaf of plain data with its path. An empty collection and a list of scalars are leaves themselves."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, str(key)))
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def _noted(node: Node, note: str) -> Node:
    mark = replace(node.mark, note=note)
    if isinstance(node, ScalarNode):
        return replace(node, mark=mark)
    if isinstance(node, ListNode):
        return ListNode(tuple(_noted(item, note) for item in node.items), mark)
    return MapNode({key: entry.noted(note) for key, entry in node.entries.items()}, mark)


def dotted(path: Path) -> str:
    """``("stages", 0, "lr")`` as ``stages.0.lr``."""
    return ".".join(str(part) for part in path)
