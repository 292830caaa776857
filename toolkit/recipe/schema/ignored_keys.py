"""Keys that have no effect because another key of their section decides: told where they were written."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.recipe.mark import DEFAULT, Mark
from toolkit.recipe.problems import Problem
from toolkit.recipe.yaml.nodes import Node, Path, dotted, find
from toolkit.section import Section

__all__ = ["contradictions"]


def contradictions(section: Section, root: Node, at: Path = ()) -> Iterator[Problem]:
    """Keys without effect that were given beside the key that decides: in one file, or on the command line.

    Where a recipe only inherits them from one that it extends, they are no mistake; the section's owner says then
    that they do not count.
    """
    for key, others in section.decides.items():
        decider = find(root, (*at, key))
        if decider is None or getattr(section, key) is None:
            continue
        for other in others:
            node = find(root, (*at, other))
            if node is not None and _on_purpose(node.mark, decider.mark):
                yield Problem(node.mark, dotted((*at, other)), f"has no effect beside {key}; leave one of them out")
    for name in type(section).model_fields:
        yield from _below(getattr(section, name), root, (*at, name))


def _below(value: object, root: Node, at: Path) -> Iterator[Problem]:
    if isinstance(value, Section):
        yield from contradictions(value, root, at)
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _below(item, root, (*at, place))


def _on_purpose(mark: Mark, decider: Mark) -> bool:
    if mark == DEFAULT:
        return False
    return mark.line is None or (mark.source, mark.note) == (decider.source, decider.note)
