"""What every source gives: integer sums by group. Sums of disjoint site-days add up."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from api.query.filters import AllOf
from api.query.goals import Goal
from api.query.vocabulary import Dimension
from shared.errors import Code, Refusal

Key = tuple[Any, ...]
"""A value for each dimension: text, or the bucket of a time dimension."""

Groups = dict[Key, tuple[int, ...]]
"""The sums of each key, in the order in which the tally names them."""


MAX_GROUPS = 1_000_000
"""Of one tally that no source can cut: more are refused, not held in memory."""


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


class Wanted(NamedTuple):
    """A tally, and the part of its groups that is wanted; None: all of them."""

    tally: Tally
    cut: Cut | None


class Counted(msgspec.Struct, frozen=True):
    """Groups of one tally, ordered where they were cut; ``total``: how many there were before the
    cut, None where there was none."""

    groups: Groups
    total: int | None = None


def bounded(groups: Groups) -> Groups:
    """Raises Refusal where there are too many."""
    if len(groups) <= MAX_GROUPS:
        return groups
    message = (
        f"there are over {MAX_GROUPS:,} rows to put in order: ask for a shorter range, for fewer "
        "dimensions at once, or order by a count"
    )
    raise Refusal(Code.BAD_QUERY, message, field="dimensions")


def merge(parts: Sequence[Groups]) -> Groups:
    """Groups of several sources, which counted disjoint site-days."""
    merged = dict(bounded(parts[0]))
    for part in parts[1:]:
        for key, sums in bounded(part).items():
            before = merged.get(key)
            merged[key] = sums if before is None else _added(before, sums)
    return bounded(merged)


def in_cut_order(tally: Tally, cut: Cut, groups: Groups) -> Groups:
    """Groups that have been cut, in its order."""
    rows = sorted(groups.items(), key=lambda row: row[0])
    for by, descends in reversed(cut.order):
        if isinstance(by, int):
            rows.sort(key=lambda row, at=by: row[0][at], reverse=descends)  # type: ignore[misc]
        else:
            place = tally.sums.index(by)
            rows.sort(key=lambda row, at=place: row[1][at], reverse=descends)  # type: ignore[misc]
    return dict(rows)


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(int.__add__, one, other))
