"""One filtered scan for all that is asked with the same filters, and the groupings of what it kept.

Where the filters speak of visits alone, by columns in which every event has what its visit has,
nothing is joined: a visit is its first row, which has its measures beside it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    cast,
    column,
    func,
    select,
    table,
)

from api.query.archive_files import File
from api.query.archive_relations import MEASURES, from_files, of_visit, own, relations
from api.query.buckets import bucket
from api.query.conditions import holds
from api.query.filters import AllOf, AnyOf, Filter, Leaf, Not, leaves
from api.query.plan import needs, together
from api.query.ranges import Days, Range
from api.query.statements import (
    key,
    select_chosen,
    select_groups_of,
)
from api.query.sums import Tally
from api.query.vocabulary import OF_ITS_PAGEVIEWS, Dimension, Kind
from shared.beacon import ENGAGEMENT

KEPT = "kept"
_OF_FIRST_ROWS = {**MEASURES, "visit_events": "visit_events"}
_ALWAYS = ("day", "visitor", "name")


class Scan(NamedTuple):
    """``keep``: what all of the tallies count from, filtered; ``counts``: for each, its statement
    over that, given as a relation. ``tallies``: with what is left of their filters."""

    keep: Select[Any]
    asked: tuple[Tally, ...]
    tallies: tuple[Tally, ...]
    is_simple: bool

    def select(self, index: int, kept: FromClause) -> Select[Any]:
        """Dimensions, then sums, uncut."""
        tally = self.tallies[index]
        if self.is_simple and _is_of_visits(tally):
            return _select_by_visit(kept, tally)
        # Where events and visits were joined, goals were looked for beside them.
        goals = tally.goals if self.is_simple else ()
        reached = [holds(goal.tree, kept, kept).label(goal.column) for goal in goals]
        chosen = select(*kept.c, *reached).where(holds(tally.filters, kept, kept)).cte("chosen")
        chosen_with = [tally] if self.is_simple else self.asked
        return select_groups_of(chosen, tally, together([needs(t) for t in chosen_with]), None)

    @property
    def table(self) -> FromClause:
        """What was kept, as a table."""
        return table(KEPT, *(column(each.name) for each in self.keep.selected_columns))


def scan_of(
    folder: Path, files: Sequence[File], wanted: Range, tallies: Sequence[Tally]
) -> Scan | None:
    """The scan that serves all of some tallies; None where each has to read for itself."""
    common = tuple(
        part for part in tallies[0].filters.parts if all(part in t.filters.parts for t in tallies)
    )
    if not common:
        return None
    rests = tuple(_without(tally, common) for tally in tallies)
    steady = frozenset.intersection(*(file.steady for file in files))
    if isinstance(wanted, Days) and _is_simple(common, rests, steady):
        return Scan(_keep_simply(folder, files, common, rests), tuple(tallies), rests, True)
    if len(tallies) == 1 or _collide(tallies):
        return None
    joined = _keep_joined(folder, files, wanted, common, tallies)
    return Scan(joined, tuple(tallies), rests, False)


def _collide(tallies: Sequence[Tally]) -> bool:
    """Whether one name means two things: each question numbers by itself what visits have done."""
    done = {deed for tally in tallies for deed in needs(tally).deeds}
    return len({deed.column for deed in done}) < len(done)


def _without(tally: Tally, common: Sequence[Filter]) -> Tally:
    parts = tuple(part for part in tally.filters.parts if part not in common)
    return msgspec.structs.replace(tally, filters=AllOf(parts))


def _trees(tally: Tally) -> Iterator[Filter]:
    yield tally.filters
    yield from (goal.tree for goal in tally.goals)


def _is_plain(tree: Filter) -> bool:
    """Nothing but simple filters with and, or, not."""
    match tree:
        case Leaf():
            return True
        case Not(part):
            return _is_plain(part)
        case AllOf(parts) | AnyOf(parts):
            return all(_is_plain(part) for part in parts)
    return False


# --- filters of visits alone, by steady columns ------------------------------------------------


def _is_simple(common: Sequence[Filter], rests: Sequence[Tally], steady: frozenset[str]) -> bool:
    of_visits = [leaf for part in common for leaf in leaves(part)]
    return (
        bool(of_visits)
        and all(_is_plain(part) and any(leaves(part)) for part in common)
        and all(_is_steady(leaf.dimension, steady) for leaf in of_visits)
        and all(_is_of_visits(tally) or _is_of_events(tally, steady) for tally in rests)
    )


def _is_steady(dimension: Dimension, steady: frozenset[str]) -> bool:
    return (
        dimension.kind is Kind.VISIT
        and dimension.name not in OF_ITS_PAGEVIEWS
        and dimension.column in steady
    )


def _is_of_visits(tally: Tally) -> bool:
    """Whether visits' first rows tell all."""
    needed = needs(tally)
    plain = not (needed.engaged or needed.money or tally.goals) and _is_plain(tally.filters)
    by_visit = all(
        d.kind is Kind.VISIT or (d.kind is Kind.TIME and d.column != "hour")
        for d in tally.dimensions
    )
    return plain and by_visit and all(_of_visit(leaf) for leaf in leaves(tally.filters))


def _of_visit(leaf: Leaf) -> bool:
    return leaf.dimension.kind is Kind.VISIT


def _is_of_events(tally: Tally, steady: frozenset[str]) -> bool:
    """Whether events tell all, each with its own columns; visits with an event that was kept have
    their first kept too, as long as no filter of events is left."""
    needed = needs(tally)
    asked = [leaf for tree in _trees(tally) for leaf in leaves(tree)]
    of_events = [leaf for leaf in leaves(tally.filters) if not _of_visit(leaf)]
    by_hour = any(d.column == "hour" for d in tally.dimensions)
    return (
        not needed.engaged
        and all(_is_plain(tree) for tree in _trees(tally))
        and all(not _of_visit(leaf) or _is_steady(leaf.dimension, steady) for leaf in asked)
        and all(d.kind is not Kind.VISIT or _is_steady(d, steady) for d in tally.dimensions)
        and not (needed.visits and (of_events or by_hour))
    )


def _keep_simply(
    folder: Path, files: Sequence[File], common: Sequence[Filter], rests: Sequence[Tally]
) -> Select[Any]:
    asked = [needs(tally) for tally in rests]
    shown = {name: own(name) for name in _ALWAYS}
    if any(d.column == "hour" for tally in rests for d in tally.dimensions):
        shown["hour"] = own("hour")
    if any(needs(tally).visits and not _is_of_visits(tally) for tally in rests):
        # By page a visit is told from the visitor's others by its number.
        shown["visit_no"] = own("visit_no")
    shown |= _OF_FIRST_ROWS
    for needed in asked:
        shown |= {name: own(name) for name in needed.event_columns}
        shown |= {name: _of_first_row(name) for name in needed.visit_dimensions}
    kept = tuple(shown)
    shown |= {leaf.dimension.column: own(leaf.dimension.column) for leaf in _all_leaves(common)}
    where = f"bot IS NULL AND name <> '{ENGAGEMENT}' AND visit_no IS NOT NULL"
    found = from_files(folder, files, shown, where, "of_files")
    return select(*(found.c[name] for name in kept)).where(holds(AllOf(tuple(common)), found, None))


def _of_first_row(name: str) -> str:
    """Entries and exits are on first rows alone."""
    if name not in OF_ITS_PAGEVIEWS:
        return of_visit(name)
    return f"CASE WHEN visit_views IS NOT NULL THEN {of_visit(name)} END"


def _all_leaves(parts: Sequence[Filter]) -> list[Leaf]:
    return [leaf for part in parts for leaf in leaves(part)]


def _select_by_visit(kept: FromClause, tally: Tally) -> Select[Any]:
    """A visitor's visits first, then the visitors: each is counted once a group."""
    keys = [_value(kept, d).label(key(i)) for i, d in enumerate(tally.dimensions)]
    summed = ("views", "visit_events", "bounced", "lasted_ms")
    by_visitor = (
        select(
            *keys,
            func.count().label("visits"),
            *(func.sum(kept.c[name]).label(name) for name in summed),
        )
        .where(kept.c.views.is_not(None), holds(tally.filters, kept, kept))
        .group_by(*keys, kept.c.day, kept.c.visitor)
        .cte("by_visitor")
    )
    names = [by_visitor.c[key(index)] for index in range(len(tally.dimensions))]
    sums = {
        "visitors": func.count(),
        "pageviews": func.sum(by_visitor.c.views),
        "events": func.sum(by_visitor.c.visit_events),
        **{name: func.sum(by_visitor.c[name]) for name in ("visits", *summed)},
    }
    shown = [cast(func.coalesce(sums[name], 0), BigInteger).label(name) for name in tally.sums]
    return select(*names, *shown).select_from(by_visitor).group_by(*names)


def _value(kept: FromClause, dimension: Dimension) -> ColumnElement[Any]:
    if dimension.kind is Kind.TIME:
        return bucket(kept, dimension.column)
    return kept.c[dimension.name]


# --- any filters: each event with its visit beside it -------------------------------------------


def _keep_joined(
    folder: Path,
    files: Sequence[File],
    wanted: Range,
    common: Sequence[Filter],
    tallies: Sequence[Tally],
) -> Select[Any]:
    needed = together([needs(tally) for tally in tallies])
    # Goals are the site's own: the same in each tally that has some.
    goals = max((tally.goals for tally in tallies), key=len)
    of_all = Tally((), AllOf(tuple(common)), (), goals)
    return select_chosen(relations(folder, files, needed), wanted, of_all)
