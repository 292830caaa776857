"""pydantic's error types in a recipe writer's words: what was found, what is wanted, how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from toolkit.errors import joined, nearest, quoted, suggest
from toolkit.recipe.problems import unknown_key
from toolkit.recipe.schema.shape import Shape
from toolkit.recipe.yaml.nodes import ListNode, MapNode, Node, Path, ScalarNode, dotted
from toolkit.recipe.yaml.scalars import is_number

_SHOWN = 40


@dataclass(frozen=True)
class Fault:
    """One pydantic error, located.

    Args:
        kind, context, message: pydantic's type of the error, its details and its text.
        path: the place in the recipe, without the labels that pydantic mixes in.
        section: the section that the last key of ``path`` belongs to, where it is known.
        shape: what the schema wants at ``path``.
        node: what stands there.
        in_union: several kinds of value are allowed here, and this is what one of them minded.
    """

    kind: str
    context: Mapping[str, Any]
    message: str
    path: Path
    section: type[BaseModel] | None
    shape: Shape | None
    node: Node | None
    in_union: bool


_WANTED = {
    "string_type": "text",
    "path_type": "a path",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a section with keys",
    "model_attributes_type": "a section with keys",
    "none_required": "nothing",
}


def word(faults: Sequence[Fault], root: MapNode) -> str:
    """One message for the faults of one place."""
    # A member of a union that only minds the value was the one that was meant.
    valued = [f for f in faults if f.kind not in _WANTED and f.kind not in ("literal_error", "enum")]
    if valued:
        return _single(valued[0], root)
    if len(faults) == 1:
        return _single(faults[0], root)
    return _mistyped(faults)


def _single(fault: Fault, root: MapNode) -> str:
    if fault.kind in _WANTED or fault.kind in ("literal_error", "enum"):
        return _mistyped([fault])
    write = _WORDS.get(fault.kind)
    return write(fault, root) if write else _plain(fault, root)


def _mistyped(faults: Sequence[Fault]) -> str:
    """``wants a whole number or 'auto', found the text 'autoo'; did you mean 'auto'?``."""
    node = faults[0].node
    choices = [choice for fault in faults for choice in _choices(fault)]
    wanted = list(dict.fromkeys(_wanted(f) for f in faults if f.kind in _WANTED))
    if choices and not wanted:
        return _not_a_choice(node, choices)
    phrases = wanted + [repr(choice) for choice in choices]
    if len(phrases) > 1 and "true or false" in phrases:
        at = phrases.index("true or false")
        phrases[at : at + 1] = ["true", "false"]
    fix = _fix(faults, node) or _near_choice(node, choices)
    return f"wants {joined(phrases)}, found {found(node)}{f'; {fix}' if fix else ''}"


def _wanted(fault: Fault) -> str:
    of_section = fault.shape is not None and (fault.shape.model or fault.shape.variants)
    return _WANTED["model_type" if fault.kind == "dict_type" and of_section else fault.kind]


def _choices(fault: Fault) -> list[Any]:
    if fault.kind not in ("literal_error", "enum"):
        return []
    if fault.shape is not None:
        for shape in fault.shape.alternatives:
            choices = list(get_args(shape.annotation))
            if choices and all(isinstance(choice, str | int | bool) for choice in choices):
                return choices
    return [fault.context.get("expected", "")]


def _not_a_choice(node: Node | None, choices: Sequence[Any]) -> str:
    texts = [choice for choice in choices if isinstance(choice, str)]
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        close = nearest(node.value, texts)
        ordered = close + [text for text in texts if text not in close]
        meant = f"{meant} " if (meant := suggest(node.value, texts, 1)) else ""
        return f"{_cut(node.value)!r} is not a choice; {meant}choices: {', '.join(ordered or map(repr, choices))}"
    fix = f"; write {node.text!r} in quotes" if isinstance(node, ScalarNode) and node.text in texts else ""
    return f"wants {joined([repr(choice) for choice in choices])}, found {found(node)}{fix}"


def _near_choice(node: Node | None, choices: Sequence[Any]) -> str:
    texts = [choice for choice in choices if isinstance(choice, str)]
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return suggest(node.value, texts, 1)
    return ""


def _fix(faults: Sequence[Fault], node: Node | None) -> str:
    kinds = {fault.kind for fault in faults}
    if isinstance(node, ListNode) and "string_type" in kinds:
        return ""
    if not isinstance(node, ScalarNode):
        return ""
    if node.value is None:
        return "write a value, or remove the key to take the default"
    shape = faults[0].shape
    if shape is not None and shape.chooser and node.text in shape.variants:
        return f"write {{{shape.chooser}: {node.text}}}"
    return _fix_text(kinds, node) if isinstance(node.value, str) else _fix_value(kinds, node)


def _fix_text(kinds: set[str], node: ScalarNode) -> str:
    text = str(node.value)
    if kinds & {"int_type", "float_type"}:
        if not node.plain and is_number(text):
            return "remove the quotes"
        if is_number(text.replace("_", "").replace(",", ".").replace(" ", "")):
            return "write the number with digits and a decimal point only"
    if "bool_type" in kinds:
        if text.lower() in ("yes", "on", "true"):
            return "write true" if node.plain else "write true, without quotes"
        if text.lower() in ("no", "off", "false"):
            return "write false" if node.plain else "write false, without quotes"
    if kinds & {"list_type", "tuple_type"}:
        return f"write [{_cut(text)}]"
    if text in ("None", "none", "nil") and node.plain:
        return "write null for nothing"
    return ""


def _fix_value(kinds: set[str], node: ScalarNode) -> str:
    if kinds & {"string_type", "path_type"}:
        return f'put it in quotes: "{_cut(node.text)}"'
    if "int_type" in kinds and isinstance(node.value, float) and node.value.is_integer() and abs(node.value) < 1e15:
        return f"write {int(node.value)}"
    if kinds & {"list_type", "tuple_type"}:
        return f"write [{_cut(node.text)}]"
    return ""


def found(node: Node | None) -> str:
    """What stands at a place, in words."""
    if isinstance(node, MapNode):
        return "a mapping" if node.entries else "an empty mapping"
    if isinstance(node, ListNode):
        return f"a list of {len(node.items)}"
    if node is None or node.value is None:
        return "nothing"
    if isinstance(node.value, bool):
        return str(node.value).lower()
    if isinstance(node.value, str):
        return f"the text {_cut(node.value)!r}"
    return f"the number {node.value!r}"


def number_text(number: float) -> str:
    """A bound as messages and the reference show it: ``1,000,000``, ``0.5``, ``1e-06``."""
    return f"{number:,}".removesuffix(".0")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _missing(fault: Fault, root: MapNode) -> str:
    if isinstance(fault.path[-1], int):
        return "this item is missing from the list"
    field = None if fault.section is None else fault.section.model_fields.get(str(fault.path[-1]))
    about = f" ({field.description.rstrip('.')})" if field is not None and field.description else ""
    where = f"the section {dotted(fault.path[:-1])!r}" if len(fault.path) > 1 else "the recipe"
    return f"this key is missing{about}; add it to {where}"


def _unknown(fault: Fault, root: MapNode) -> str:
    section, key = fault.section, str(fault.path[-1])
    if section is None:
        return "unknown key"
    known = list(section.model_fields)
    if not nearest(key, known) and len(fault.path) == 1:
        homes = [f"{name}.{key}" for name, field in section.model_fields.items() if _holds(Shape.of_field(field), key)]
        if homes:
            return f"unknown key at the top; did you mean {quoted(homes)}?"
    return unknown_key(key, known)


def _holds(shape: Shape, key: str) -> bool:
    models = [shape.model] if shape.model else list(shape.variants.values())
    return any(key in model.model_fields for model in models)


def _unknown_variant(fault: Fault, root: MapNode) -> str:
    names = list(fault.shape.variants) if fault.shape is not None else []
    chosen = fault.node.get(fault.shape.chooser or "name") if fault.shape and isinstance(fault.node, MapNode) else None
    if isinstance(chosen, ListNode | MapNode):
        return f"must be one of {', '.join(names)}, found {found(chosen)}"
    tag = str(fault.context.get("tag", ""))
    close = nearest(tag, names)
    meant = f"{meant} " if (meant := suggest(tag, names, 1)) else ""
    ordered = close + [name for name in names if name not in close]
    return f"{_cut(tag)!r} is not a choice; {meant}choices: {', '.join(ordered)}"


def _unnamed_variant(fault: Fault, root: MapNode) -> str:
    names = list(fault.shape.variants) if fault.shape is not None else []
    chooser = (fault.shape.chooser if fault.shape is not None else None) or "name"
    if isinstance(fault.node, MapNode) and chooser in fault.node.entries:
        return f"must be one of {', '.join(names)}, found {found(fault.node.get(chooser))}"
    return f"this key is missing; choices: {', '.join(names)}"


def _bound(phrase: str, key: str) -> Callable[[Fault, MapNode], str]:
    def write(fault: Fault, root: MapNode) -> str:
        bound = number_text(fault.context[key])
        return f"must be {phrase} {bound}, found {found(fault.node).removeprefix('the number ')}"

    return write


def _length(fault: Fault, root: MapNode) -> str:
    least = "min_length" in fault.context
    bound = fault.context["min_length" if least else "max_length"]
    text = fault.kind.startswith("string") or (isinstance(fault.node, ScalarNode) and isinstance(fault.node.value, str))
    what = "character" if text else "item"
    return f"needs at {'least' if least else 'most'} {bound} {what}{'' if bound == 1 else 's'}"


def _own(fault: Fault, root: MapNode) -> str:
    """What a section's own validator said."""
    return str(fault.context.get("error", fault.message)).strip() or fault.message


def _plain(fault: Fault, root: MapNode) -> str:
    text = fault.message
    return f"{text[:1].lower()}{text[1:]}, found {found(fault.node)}"


_WORDS: dict[str, Callable[[Fault, MapNode], str]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "union_tag_invalid": _unknown_variant,
    "union_tag_not_found": _unnamed_variant,
    "greater_than": _bound("greater than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than": _bound("less than", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "multiple_of": _bound("a multiple of", "multiple_of"),
    "too_short": _length,
    "too_long": _length,
    "string_too_short": _length,
    "string_too_long": _length,
    "value_error": _own,
    "assertion_error": _own,
}
