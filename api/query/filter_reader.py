"""From filters on the wire to a tree: each fault is named by its place.

Goals, segments and exclusions are put in where they are named, so that nothing else need know
them.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec

from api.query.filters import AllOf, AnyOf, Filter, HasDone, Leaf, Not, Unless
from api.query.goals import Goal
from api.query.patterns import check_pattern, either, fits
from api.query.saved import NOTHING_SAVED, Saved
from api.query.vocabulary import GOAL, PROPS, SEGMENT, Dimension, Kind, find_dimension
from shared.errors import Code, Refusal

MAX_DEPTH = 10
MAX_LEAVES = 100
MAX_ALL_LEAVES = 2_000
"""With what the saved filters say that are named."""
MAX_VALUES = 1_000

_TESTS = {
    "is": ("is", False),
    "is_not": ("is", True),
    "contains": ("contains", False),
    "contains_not": ("contains", True),
    "matches": ("matches", False),
    "matches_not": ("matches", True),
}
_DEEDS = {"has_done": False, "has_not_done": True}
_OPERATORS = (*_TESTS, "and", "or", "not", *_DEEDS)


def check_saved(kind: str, raw: list[Any]) -> None:
    """Whether filters can be saved as a goal, a segment or an exclusion. Raises Refusal."""
    reader = Reader(NOTHING_SAVED, within=kind)
    if not reader.read(raw).parts:
        raise _bad("filters", f"a {kind} needs a filter")


class Reader:
    """Reads the filters of one question; raises Refusal. ``within``: the kind of what is to be
    saved, which may name nothing saved but for a segment's goals."""

    def __init__(self, saved: Saved, within: str | None = None) -> None:
        self._saved = saved
        self._within = within
        self._numbers = count()
        self._deed: str | None = None
        self._leaves = 0

    def read(self, raw: list[Any], place: str = "filters") -> AllOf:
        """All of a list of filters."""
        tree = AllOf(self._parts(raw, place, 1))
        if _count(raw) > MAX_LEAVES:
            raise _bad(place, f"there are over {MAX_LEAVES} filters")
        return tree

    def exclusions(self) -> tuple[Filter, ...]:
        """What holds for whatever no exclusion takes out."""
        saved = self._saved.exclusions.items()
        return tuple(Unless(self._read_saved(raw, f"exclusion {name!r}")) for name, raw in saved)

    def goals(self) -> tuple[Goal, ...]:
        """Every goal there is, by name."""
        saved = self._saved.goals.items()
        trees = [(name, self._read_saved(raw, f"goal {name!r}")) for name, raw in saved]
        return tuple(Goal(name, tree, f"goal_{no}") for no, (name, tree) in enumerate(trees))

    def _read_saved(self, raw: list[Any], place: str) -> AllOf:
        return AllOf(self._parts(raw, place, 1))

    def _parts(self, raw: Any, place: str, depth: int) -> tuple[Filter, ...]:
        if not isinstance(raw, list):
            raise _bad(place, "a list of filters stands here")
        return tuple(self._read(part, f"{place}[{no}]", depth) for no, part in enumerate(raw))

    def _read(self, raw: Any, place: str, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise _bad(place, f"filters are nested over {MAX_DEPTH} deep")
        if not isinstance(raw, list) or not raw or not isinstance(raw[0], str):
            raise _bad(place, "a filter is [operator, dimension, values]")
        if raw[0] in ("and", "or", "not"):
            return self._read_logic(raw, place, depth)
        if raw[0] in _DEEDS:
            return self._read_deed(raw, place, depth)
        if raw[0] not in _TESTS:
            known = ", ".join(_OPERATORS)
            raise _bad(f"{place}[0]", f"{raw[0][:40]!r} is none of {known}")
        return self._read_leaf(raw, place)

    def _read_logic(self, raw: list[Any], place: str, depth: int) -> Filter:
        _check_one_argument(raw, place)
        if raw[0] == "not":
            return Not(self._read(raw[1], f"{place}[1]", depth + 1))
        parts = self._parts(raw[1], f"{place}[1]", depth + 1)
        if not parts:
            raise _bad(f"{place}[1]", f"`{raw[0]}` needs a filter")
        return AllOf(parts) if raw[0] == "and" else AnyOf(parts)

    def _read_deed(self, raw: list[Any], place: str, depth: int) -> Filter:
        _check_one_argument(raw, place)
        if self._deed is not None:
            raise _bad(place, f"`{raw[0]}` stands within `{self._deed}`")
        self._deed = raw[0]
        part = self._read(raw[1], f"{place}[1]", depth + 1)
        self._deed = None
        done = HasDone(part, f"done_{next(self._numbers)}")
        return Not(done) if _DEEDS[raw[0]] else done

    def _read_leaf(self, raw: list[Any], place: str) -> Filter:
        if len(raw) not in (3, 4):
            raise _bad(place, "a filter is [operator, dimension, values]")
        negated = _TESTS[raw[0]][1]
        if raw[1] == SEGMENT:
            return _negated(self._read_segments(raw, place), negated)
        dimension = find_dimension(raw[1])
        if dimension is None or dimension.kind is Kind.TIME:
            raise _bad(f"{place}[1]", f"{str(raw[1])[:40]!r} cannot be filtered by")
        if self._deed is not None and dimension.kind is not Kind.EVENT:
            raise _bad(f"{place}[1]", f"`{self._deed}` asks about events, and so for `event:…`")
        self._leaves += 1
        if self._leaves > MAX_ALL_LEAVES:
            raise _bad(place, f"there are over {MAX_ALL_LEAVES:,} filters with those of goals")
        leaf = _leaf(raw, place, dimension)
        if dimension.name == GOAL:
            return _negated(self._read_goals(leaf), negated)
        return leaf

    def _read_goals(self, leaf: Leaf) -> Filter:
        if self._within == SEGMENT:
            return AnyOf(())  # Only when it is asked for need there be such a goal.
        self._check_may_name(GOAL, f"{leaf.place}[1]")
        for index, name in enumerate(leaf.values):
            one = msgspec.structs.replace(leaf, values=(name,))
            if leaf.test == "is" and not any(fits(one, goal) for goal in self._saved.goals):
                raise _bad(f"{leaf.place}[2][{index}]", f"there is no goal {name[:200]!r}")
        meant = [name for name in self._saved.goals if fits(leaf, name)]
        trees = (self._read_saved(self._saved.goals[name], f"goal {name!r}") for name in meant)
        return _any_of(tuple(trees))

    def _read_segments(self, raw: list[Any], place: str) -> Filter:
        self._check_may_name(SEGMENT, f"{place}[1]")
        if raw[0] not in ("is", "is_not") or len(raw) != 3:
            raise _bad(place, 'a segment is asked for by ["is", "segment", [number]]')
        numbers = raw[2] if isinstance(raw[2], list) else []
        if not numbers or len(numbers) > MAX_VALUES:
            raise _bad(f"{place}[2]", "a list of segments' numbers stands here")
        for index, number in enumerate(numbers):
            if type(number) is not int or number not in self._saved.segments:
                raise _bad(f"{place}[2][{index}]", f"there is no segment {str(number)[:40]}")
        saved = self._saved.segments
        trees = (self._read_saved(saved[number], f"segment {number}") for number in numbers)
        return _any_of(tuple(trees))

    def _check_may_name(self, what: str, place: str) -> None:
        if self._within is not None:
            raise _bad(place, f"a {self._within} that is saved cannot name `{what}`")


def _leaf(raw: list[Any], place: str, dimension: Dimension) -> Leaf:
    test, negated = _TESTS[raw[0]]
    case_sensitive = _read_case(raw[3] if len(raw) == 4 else {}, f"{place}[3]")
    values = _read_values(raw[2], f"{place}[2]")
    if test == "matches":
        if not case_sensitive:
            raise _bad(f"{place}[3].case_sensitive", "begin the pattern with (?i) instead")
        for index, pattern in enumerate(values):
            check_pattern(pattern, f"{place}[2][{index}]")
        check_pattern(either(values), f"{place}[2]")
    return Leaf(test, negated, dimension, values, case_sensitive, place)


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


def _check_one_argument(raw: list[Any], place: str) -> None:
    if len(raw) != 2:
        raise _bad(place, f"`{raw[0]}` takes one argument")


def _negated(tree: Filter, negated: bool) -> Filter:
    return Not(tree) if negated else tree


def _any_of(trees: tuple[AllOf, ...]) -> Filter:
    return trees[0] if len(trees) == 1 else AnyOf(trees)


def _count(raw: Any) -> int:
    """Simple filters as they are written, before what is saved is put in."""
    if not isinstance(raw, list) or not raw:
        return 0
    if isinstance(raw[0], str):
        return _count(raw[1:2]) if raw[0] in ("and", "or", "not", *_DEEDS) else 1
    return sum(_count(part) for part in raw)


def converted(raw: Any) -> bool:
    """Whether a filter says what visitors did whose share is asked for: a goal or a property."""
    return (
        isinstance(raw, list)
        and len(raw) > 1
        and isinstance(raw[1], str)
        and (raw[1] == GOAL or raw[1].startswith(PROPS))
    )


def buried(raw: Any, test: Callable[[Any], bool], depth: int = 0) -> bool:
    """Whether such a filter stands within ``and``, ``or`` or ``not``."""
    if not isinstance(raw, list) or not raw or not isinstance(raw[0], str):
        return False
    if raw[0] in ("and", "or", "not"):
        parts = raw[1:2] if raw[0] == "not" else raw[1]
        return any(test(part) or buried(part, test) for part in parts)
    return False


def _bad(place: str, message: str) -> Refusal:
    return Refusal(Code.BAD_QUERY, message, field=place)
