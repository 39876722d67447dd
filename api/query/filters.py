"""The filter tree: what can be asked of an event, and of the visit it is part of."""

from collections.abc import Callable, Iterator

import msgspec

from api.query.vocabulary import Dimension


class Leaf(msgspec.Struct, frozen=True):
    """True where the dimension's value is, contains or matches one of ``values``; else where
    negated. ``place``: where it stands in the question."""

    test: str
    negated: bool
    dimension: Dimension
    values: tuple[str, ...]
    case_sensitive: bool = True
    place: str = ""


class AllOf(msgspec.Struct, frozen=True):
    """True where every part is."""

    parts: tuple["Filter", ...]


class AnyOf(msgspec.Struct, frozen=True):
    """True where a part is."""

    parts: tuple["Filter", ...]


class Not(msgspec.Struct, frozen=True):
    """True where the part is false."""

    part: "Filter"


class Unless(msgspec.Struct, frozen=True):
    """True where the part is not true."""

    part: "Filter"


class HasDone(msgspec.Struct, frozen=True):
    """True where the part is for an event of the same visit, in the range or not; unknown without
    a visit. ``column``: of the visits relation that says so."""

    part: "Filter"
    column: str


Filter = Leaf | AllOf | AnyOf | Not | Unless | HasDone


def leaves(tree: Filter) -> Iterator[Leaf]:
    """Every simple filter in a tree."""
    match tree:
        case Leaf():
            yield tree
        case Not(part) | Unless(part) | HasDone(part):
            yield from leaves(part)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves(part)


def deeds(tree: Filter) -> Iterator[HasDone]:
    """Everything in a tree that is asked of whole visits."""
    match tree:
        case HasDone():
            yield tree
        case Not(part) | Unless(part):
            yield from deeds(part)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from deeds(part)


def mapped(tree: Filter, change: Callable[[Leaf], Leaf]) -> Filter:
    """The same tree with every simple filter changed."""
    match tree:
        case Leaf():
            return change(tree)
        case Not(part):
            return Not(mapped(part, change))
        case Unless(part):
            return Unless(mapped(part, change))
        case HasDone(part, column):
            return HasDone(mapped(part, change), column)
        case AllOf(parts):
            return AllOf(tuple(mapped(part, change) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(mapped(part, change) for part in parts))
