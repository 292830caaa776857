"""From the bytes of a recipe to a tree of nodes, within fixed limits.

The tree is built straight from the events of PyYAML's pure-Python parser: nothing is constructed, so no tag can act,
and the limits hold while the text is read. (The C parser crashes the interpreter on deeply nested brackets.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from toolkit.errors import VtkError
from toolkit.recipe.mark import Mark
from toolkit.recipe.problems import Problem, RecipeError
from toolkit.recipe.yaml.nodes import Entry, ListNode, MapNode, Node, ScalarNode
from toolkit.recipe.yaml.scalars import check_text, not_allowed, resolve

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_NODES = 20_000
MAX_ALIASES = 100
MAX_TEXT = 10_000

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

_EXPLAINED = {
    "mapping values are not allowed here": "a second ': ' in one line; put text that holds ': ' in quotes",
    "could not find expected ':'": "expected ': ' after this key",
    "did not find expected alphabetic or numeric character": "a name must follow '&' or '*'; put such text in quotes",
    "found unexpected end of stream": "the file ends inside quotes or brackets",
    "expected ',' or ']', but got '<stream end>'": "the bracket '[' is never closed",
    "expected ',' or '}', but got '<stream end>'": "the bracket '{' is never closed",
    "expected <block end>, but found '<block mapping start>'": "this line is indented differently from its neighbours",
    "expected <block end>, but found '<block sequence start>'": "this list is indented differently from its neighbours",
    "expected <block end>, but found ':'": "a key is missing before ':'",
    "expected <block end>, but found '-'": "a list item where a key was expected",
    "expected <block end>, but found '<scalar>'": "text where a key or the end of the value was expected",
}

Place = Callable[[int, int], Mark]


def decode(raw: bytes, source: str) -> str:
    """Recipe bytes as text. A UTF-8 byte-order mark is dropped.

    Raises:
        RecipeError: too large, not UTF-8, or with characters that YAML does not allow.
    """
    if len(raw) > MAX_BYTES:
        raise _fault(Mark(source, 1, 1), f"{len(raw):,} bytes are too many for a recipe; the limit is {MAX_BYTES:,}")
    if raw.startswith(_UTF16):
        raise _fault(Mark(source, 1, 1), "the file is saved as UTF-16; save it as UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _position(raw[: error.start].decode("utf-8-sig", errors="replace"))
        raise _fault(Mark(source, line, column), "the file is not UTF-8 text; save it as UTF-8") from None
    return text


def compose(text: str, place: Place) -> Node | None:
    """The tree of one YAML document, or None for an empty one.

    Args:
        text: the document.
        place: makes the mark of a line and a column, both counted from 1.

    Raises:
        RecipeError: with the place of the first fault.
    """
    bad = _UNPRINTABLE.search(text)
    if bad:
        mark = place(*_position(text[: bad.start()]))
        raise _fault(mark, not_allowed(bad.group()))
    return _Builder(text, place).document()


@lru_cache(maxsize=8)
def compose_file(raw: bytes, source: str) -> Node | None:
    """The tree of a recipe file's bytes; ``source`` is how its marks call the file.

    A command asks for the same file several times, for its task's flags first. Trees are immutable, so one serves all.
    """
    return compose(decode(raw, source), lambda line, column: Mark(source, line, column))


def _position(before: str) -> tuple[int, int]:
    """Line and column, from 1, of what follows ``before``."""
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _fault(mark: Mark, message: str) -> VtkError:
    return RecipeError([Problem(mark, "", message)])


@dataclass
class _Builder:
    text: str
    place: Place
    anchors: dict[str, Node] = field(default_factory=dict)
    nodes: int = 0
    aliases: int = 0
    seen: tuple[int, int] = (1, 1)

    def document(self) -> Node | None:
        events = self._events()
        next(events)
        start = next(events)
        if isinstance(start, yaml.StreamEndEvent):
            return None
        if start.version or start.tags:
            raise self._error(start, "directives such as %YAML are not allowed in a recipe")
        root = self._node(next(events), events, 1)
        next(events)
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._error(after, "a recipe is one document; remove this '---' and what follows")
        return root

    def _events(self) -> Iterator[Any]:
        """The parser's events; its own errors become recipe errors."""
        try:
            event: Any
            for event in yaml.parse(self.text, Loader=yaml.SafeLoader):
                self.seen = (event.start_mark.line + 1, event.start_mark.column + 1)
                yield event
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error) from None
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            # PyYAML lets these through, e.g. for the escape "\U00110000".
            raise _fault(self.place(*self.seen), f"cannot be read as YAML: {error}") from None

    def _syntax(self, error: Any) -> VtkError:
        where = error.problem_mark or error.context_mark
        if where is None:
            return _fault(self.place(*self.seen), "cannot be read as YAML")
        mark = self.place(where.line + 1, where.column + 1)
        if self.text[where.index : where.index + 1] == "\t":
            return _fault(mark, "a tab where YAML allows only spaces; indent with spaces")
        problem = " ".join(str(error.problem or error.context).split())
        if problem.endswith("that cannot start any token"):
            return _fault(mark, f"text that begins with {self.text[where.index : where.index + 1]!r} must be in quotes")
        return _fault(mark, _EXPLAINED.get(problem, f"cannot be read as YAML: {problem}"))

    def _error(self, event: Any, message: str) -> VtkError:
        return _fault(self._mark(event), message)

    def _mark(self, event: Any) -> Mark:
        return self.place(event.start_mark.line + 1, event.start_mark.column + 1)

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        self._count(event, 1, depth)
        if event.tag is not None:
            raise self._error(event, f"the tag {event.tag!r} is not allowed; recipes hold plain values only")
        if isinstance(event, yaml.ScalarEvent):
            node: Node = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._list(event, events, depth)
        else:
            node = self._mapping(event, events, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _count(self, event: Any, nodes: int, depth: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise self._error(event, f"a recipe may hold at most {MAX_NODES:,} values")
        if depth > MAX_DEPTH:
            raise self._error(event, f"nested more than {MAX_DEPTH} levels deep")

    def _alias(self, event: Any, depth: int) -> Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            raise self._error(
                event, f"'*{event.anchor}' has no '&{event.anchor}' before it; text with '*' needs quotes"
            )
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise self._error(event, f"a recipe may hold at most {MAX_ALIASES} aliases")
        nodes, height = _measure(node)
        self._count(event, nodes, depth + height - 1)
        return node

    def _scalar(self, event: Any) -> ScalarNode:
        mark, text = self._mark(event), self._text(event)
        plain = event.style is None
        try:
            check_text(text)
            value = resolve(text) if plain else text
        except ValueError as error:
            raise _fault(mark, str(error)) from None
        return ScalarNode(value, mark, text, plain)

    def _text(self, event: Any) -> str:
        if len(event.value) > MAX_TEXT:
            raise self._error(
                event, f"a text of {len(event.value):,} characters is too long; at most {MAX_TEXT:,} are allowed"
            )
        return _with_pairs_joined(event.value)

    def _list(self, start: Any, events: Iterator[Any], depth: int) -> ListNode:
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, depth + 1))
        return ListNode(tuple(items), self._mark(start))

    def _mapping(self, start: Any, events: Iterator[Any], depth: int) -> MapNode:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._key(event, entries)
            entries[key] = Entry(self._mark(event), self._node(next(events), events, depth + 1))
        return MapNode(entries, self._mark(start))

    def _key(self, event: Any, entries: dict[str, Entry]) -> str:
        """Keys are text, whatever they look like, so that classes may be called ``1`` or ``no``."""
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(event, "a key must be a single word or text")
        if event.tag is not None or event.anchor is not None:
            raise self._error(event, "tags and anchors are not allowed on keys")
        self._count(event, 1, 1)
        key = self._scalar_key(event)
        if key in entries:
            first = entries[key].key
            also = f"; it is also on line {first.line}" if first.line is not None else ""
            raise self._error(event, f"the key {key!r} is given twice{also}")
        return key

    def _scalar_key(self, event: Any) -> str:
        if event.value == "<<" and event.style is None:
            raise self._error(event, "merge keys ('<<') are not allowed; use 'extends' or write the keys out")
        if not event.value:
            raise self._error(event, "a key is missing before ':'")
        key = self._text(event)
        try:
            check_text(key)
        except ValueError as error:
            raise self._error(event, str(error)) from None
        return key


def _with_pairs_joined(text: str) -> str:
    """JSON, which YAML includes, escapes a character beyond U+FFFF as a pair of surrogates."""
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _measure(node: Node) -> tuple[int, int]:
    """Number of nodes and height of a tree."""
    if isinstance(node, ScalarNode):
        return 1, 1
    children = list(node.items) if isinstance(node, ListNode) else [entry.node for entry in node.entries.values()]
    sizes = [_measure(item) for item in children]
    return 1 + sum(count for count, _ in sizes), 1 + max((height for _, height in sizes), default=0)
