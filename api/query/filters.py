"""The filter tree: read from the wire, each fault named by its place."""

from collections.abc import Iterator
from typing import Any

import msgspec

from api.query.vocabulary import DIMENSIONS, Dimension, Kind
from shared.errors import Code, Refusal

MAX_DEPTH = 10
MAX_LEAVES = 100
MAX_VALUES = 1_000

_TESTS = {
    "is": ("is", False),
    "is_not": ("is", True),
    "contains": ("contains", False),
    "contains_not": ("contains", True),
}


class Leaf(msgspec.Struct, frozen=True):
    """True where the dimension's value is, or contains, one of ``values``; else where negated."""

    test: str
    negated: bool
    dimension: Dimension
    values: tuple[str, ...]
    case_sensitive: bool = True


class AllOf(msgspec.Struct, frozen=True):
    """True where every part is."""

    parts: tuple["Filter", ...]


class AnyOf(msgspec.Struct, frozen=True):
    """True where a part is."""

    parts: tuple["Filter", ...]


class Not(msgspec.Struct, frozen=True):
    """True where the part is false."""

    part: "Filter"


Filter = Leaf | AllOf | AnyOf | Not


def read_filters(raw: list[Any]) -> AllOf:
    """Every filter of a question must hold. Raises Refusal."""
    tree = AllOf(_parts(raw, "filters", 1))
    if sum(1 for _ in leaves(tree)) > MAX_LEAVES:
        raise _bad("filters", f"there are over {MAX_LEAVES} filters")
    return tree


def leaves(tree: Filter) -> Iterator[Leaf]:
    """Every simple filter in a tree."""
    match tree:
        case Leaf():
            yield tree
        case Not(part):
            yield from leaves(part)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves(part)


def _parts(raw: Any, place: str, depth: int) -> tuple[Filter, ...]:
    if not isinstance(raw, list):
        raise _bad(place, "a list of filters stands here")
    return tuple(_read(part, f"{place}[{index}]", depth) for index, part in enumerate(raw))


def _read(raw: Any, place: str, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise _bad(place, f"filters are nested over {MAX_DEPTH} deep")
    if not isinstance(raw, list) or not raw or not isinstance(raw[0], str):
        raise _bad(place, "a filter is [operator, dimension, values]")
    operator = raw[0]
    if operator in ("and", "or", "not"):
        return _read_logic(operator, raw, place, depth)
    if operator not in _TESTS:
        raise _bad(f"{place}[0]", f"{operator[:40]!r} is none of {', '.join(_TESTS)}, and, or, not")
    return _read_leaf(raw, place)


def _read_logic(operator: str, raw: list[Any], place: str, depth: int) -> Filter:
    if len(raw) != 2:
        raise _bad(place, f"`{operator}` takes one argument")
    if operator == "not":
        return Not(_read(raw[1], f"{place}[1]", depth + 1))
    parts = _parts(raw[1], f"{place}[1]", depth + 1)
    if not parts:
        raise _bad(f"{place}[1]", f"`{operator}` needs a filter")
    return AllOf(parts) if operator == "and" else AnyOf(parts)


def _read_leaf(raw: list[Any], place: str) -> Leaf:
    if len(raw) not in (3, 4):
        raise _bad(place, "a filter is [operator, dimension, values]")
    test, negated = _TESTS[raw[0]]
    dimension = DIMENSIONS.get(raw[1]) if isinstance(raw[1], str) else None
    if dimension is None or dimension.kind is Kind.TIME:
        raise _bad(f"{place}[1]", f"{str(raw[1])[:40]!r} cannot be filtered by")
    modifiers = raw[3] if len(raw) == 4 else {}
    values = _read_values(raw[2], f"{place}[2]")
    return Leaf(test, negated, dimension, values, _read_case(modifiers, f"{place}[3]"))


def _read_values(raw: Any, place: str) -> tuple[str, ...]:
    if not isinstance(raw, list) or not raw or len(raw) > MAX_VALUES:
        raise _bad(place, f"a list of 1 to {MAX_VALUES} values stands here")
    for index, value in enumerate(raw):
        if not isinstance(value, str) or "\0" in value:
            raise _bad(f"{place}[{index}]", "a value is text without NUL")
    return tuple(raw)


def _read_case(raw: Any, place: str) -> bool:
    if not isinstance(raw, dict) or set(raw) - {"case_sensitive"}:
        raise _bad(place, 'the modifier is {"case_sensitive": true or false}')
    case_sensitive = raw.get("case_sensitive", True)
    if not isinstance(case_sensitive, bool):
        raise _bad(f"{place}.case_sensitive", "true or false stands here")
    return case_sensitive


def _bad(place: str, message: str) -> Refusal:
    return Refusal(Code.BAD_QUERY, message, field=place)
