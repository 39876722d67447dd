"""What every source gives: integer sums by group. Sums of disjoint site-days add up."""

from collections.abc import Sequence
from typing import Any

import msgspec

from api.query.filters import AllOf
from api.query.goals import Goal
from api.query.vocabulary import Dimension

Key = tuple[Any, ...]
"""A value for each dimension: text, or the bucket of a time dimension."""

Groups = dict[Key, tuple[int, ...]]
"""The sums of each key, in the order in which the tally names them."""


class Tally(msgspec.Struct, frozen=True):
    """What is to be counted: ``sums`` by name, of what matches ``filters``, by ``dimensions``.
    ``goals``: all there are, where one of the dimensions is the goal."""

    dimensions: tuple[Dimension, ...]
    filters: AllOf
    sums: tuple[str, ...]
    goals: tuple[Goal, ...] = ()


class Cut(msgspec.Struct, frozen=True):
    """The part of the groups that is wanted. ``order``: a dimension's index or a sum's name, and
    whether it descends; ties break by the dimensions ascending."""

    order: tuple[tuple[int | str, bool], ...]
    limit: int
    offset: int


class Counted(msgspec.Struct, frozen=True):
    """Groups of one tally, ordered where they were cut; ``total``: how many there were before the
    cut, None where there was none."""

    groups: Groups
    total: int | None = None


def merge(parts: Sequence[Groups]) -> Groups:
    """Groups of several sources, which counted disjoint site-days."""
    merged = dict(parts[0])
    for part in parts[1:]:
        for key, sums in part.items():
            before = merged.get(key)
            merged[key] = sums if before is None else _added(before, sums)
    return merged


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(int.__add__, one, other))
