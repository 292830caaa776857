from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.recipe.problems import RecipeError
from toolkit.recipe.yaml.nodes import ListNode, MapNode, ScalarNode, to_python
from toolkit.recipe.yaml.text import MAX_ALIASES, MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_TEXT, compose_file


def read(text: str | bytes) -> Any:
    raw = text.encode() if isinstance(text, str) else text
    node = compose_file(raw, "a.yaml")
    return None if node is None else to_python(node)


def outcome(text: str | bytes) -> str:
    try:
        read(text)
    except RecipeError as error:
        return str(error)
    return "read"


def refusal(text: str | bytes) -> str:
    with pytest.raises(RecipeError) as caught:
        read(text)
    return str(caught.value)


def test_every_node_knows_its_place() -> None:
    root = compose_file(b"# head\na: 1\nb:\n  c: [x, 'y']\n", "r.yaml")
    assert isinstance(root, MapNode)
    b = root.entries["b"]
    assert isinstance(b.node, MapNode)
    c = b.node.entries["c"]
    assert isinstance(c.node, ListNode)
    second = c.node.items[1]
    assert [str(mark) for mark in (root.entries["a"].key, b.key, c.key, c.node.mark, second.mark)] == [
        "r.yaml:2:1",
        "r.yaml:3:1",
        "r.yaml:4:3",
        "r.yaml:4:6",
        "r.yaml:4:10",
    ]


def test_quoted_is_text() -> None:
    assert read("a: '1'\nb: \"true\"\nc: ''\nd: |\n  1\ne: >-\n  2\n") == {
        "a": "1",
        "b": "true",
        "c": "",
        "d": "1\n",
        "e": "2",
    }


def test_a_scalar_remembers_whether_it_was_quoted() -> None:
    root = compose_file(b"[1, '1']", "a.yaml")
    assert isinstance(root, ListNode)
    plain, quoted = root.items
    assert isinstance(plain, ScalarNode)
    assert isinstance(quoted, ScalarNode)
    assert (plain.plain, quoted.plain) == (True, False)


def test_keys_are_always_text() -> None:
    assert read("1: a\nno: b\ntrue: c\n~: d\n1.5: e") == {"1": "a", "no": "b", "true": "c", "~": "d", "1.5": "e"}


def test_aliases_repeat_a_value() -> None:
    assert read("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize("text", ["", "   \n", "# only a comment\n", b"\xef\xbb\xbf"])
def test_an_empty_document_is_none(text: str | bytes) -> None:
    assert read(text) is None


def test_a_byte_order_mark_is_dropped() -> None:
    assert read(b"\xef\xbb\xbfa: 1") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\nb: 2\na: 3", "3:1", "the key 'a' is given twice; it is also on line 1"),
        ("a:\n  b: 1\n  'b': 2", "3:3", "given twice; it is also on line 2"),
        ("1: x\n'1': y", "2:1", "given twice"),
        ("a:\n\tb: 1", "2:1", "a tab"),
        ("\ta: 1", "1:1", "a tab"),
        (b"a: 1\nb: \xff", "2:4", "not UTF-8"),
        (b"\xff\xfea\x00", "1:1", "UTF-16"),
        (b"\xfe\xff\x00a", "1:1", "UTF-16"),
        ("a: 1\nbc\x00: 2", "2:3", "U+0000"),
        ('a: "\\0"', "1:4", "U+0000"),
        ('a: "\\ud800"', "1:4", "U+D800"),
        ('"\\0": 1', "1:1", "U+0000"),
        ("a: !!int 1", "1:4", "tag"),
        ("a: !x 1", "1:4", "tag"),
        ("a: ! 1", "1:4", "tag"),
        ("a: !!python/object/apply:os.system [ls]", "1:4", "tag"),
        ("!!str a: 1", "1:1", "tags"),
        ("<<: {a: 1}", "1:1", "merge keys"),
        ("a: 1\n---\nb: 2", "2:1", "one document"),
        ("a: 1\n--- x", "2:1", "one document"),
        ("%YAML 1.1\n---\na: 1", "1:1", "directives"),
        ("%TAG ! tag:x\n---\na: 1", "1:1", "directives"),
        ("a: *x", "1:4", "'*x' has no '&x'"),
        ("a: &x [*x]", "1:8", "'*x' has no '&x'"),
        ("? [a]\n: 1", "1:3", "a key must be"),
        ("{[a]: 1}", "1:2", "a key must be"),
        ("{a: 1, *b : 2}", "1:8", "a key must be"),
        (": 1", "1:1", "a key is missing"),
        ("a: .nan", "1:4", "only finite numbers"),
        ("a: b: c", "1:5", "in quotes"),
        ("a: [1, 2", "1:9", "never closed"),
        ("a: {b: 2", "1:9", "never closed"),
        ("a: 'x", "1:6", "inside quotes"),
        ("a:\n  b: 1\n c: 2", "3:2", "indented differently"),
        ("a: @x", "1:4", "quotes"),
        ("a: `x", "1:4", "quotes"),
        ("a: %x", "1:4", "quotes"),
        ('a: "\\U00110000"', "1", "cannot be read"),
        ("%YAML " + "9" * 5000 + ".1\n---\n", "1", "cannot be read"),
    ],
)
def test_refusals_say_where_and_why(text: str | bytes, place: str, words: str) -> None:
    message = refusal(text)
    assert message.startswith(f"a.yaml:{place}:"), message
    assert words in message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "{a: [", "&a ["])
def test_deep_nesting_is_refused_before_it_hurts(opening: str) -> None:
    assert "nested more than" in refusal(opening * 30_000)


def test_depth_limit_is_exact() -> None:
    read("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert "nested" in refusal("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_depth_counts_through_aliases() -> None:
    half = MAX_DEPTH // 2 + 1
    deep = "[" * half + "]" * half
    assert "nested" in refusal(f"a: &x {deep}\nb: {'[' * half}*x{']' * half}")


def test_size_limit() -> None:
    assert read(b"#" * (MAX_BYTES - 5) + b"\na: 1") == {"a": 1}
    assert "too many for a recipe" in refusal(b"#" * MAX_BYTES + b"\n")


def test_limit_of_a_text() -> None:
    assert read(f"a: {'x' * MAX_TEXT}") == {"a": "x" * MAX_TEXT}
    for text in (f"a: {'x' * (MAX_TEXT + 1)}", f"? {'x' * (MAX_TEXT + 1)}\n: 1", f"a: '{'x ' * MAX_TEXT}'"):
        assert "is too long; at most 10,000 are allowed" in refusal(text)


def test_node_limit() -> None:
    assert "values" in refusal("[" + "1," * MAX_NODES + "]")


def test_aliases_cannot_multiply() -> None:
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    assert "at most" in refusal("\n".join(["a0: &a0 x", *levels]))


def test_alias_limit() -> None:
    assert "aliases" in refusal("a: &x 1\nb: [" + "*x," * (MAX_ALIASES + 1) + "]")


KEYS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff"), min_size=1, max_size=20
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_json_is_read_as_json(value: Any) -> None:
    assert read(json.dumps(value)) == value


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused_with_a_place(raw: bytes) -> None:
    assert outcome(raw).startswith(("read", "a.yaml:"))


@given(st.text(alphabet="ab:[]{}&*!|>%@`'\"\\#?-,~ \n\t01.", max_size=60))
@settings(max_examples=1000, deadline=None)
def test_any_yaml_punctuation_is_read_or_refused_with_a_place(text: str) -> None:
    assert outcome(text).startswith(("read", "a.yaml:"))
