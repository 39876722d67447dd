"""The statements that PostgreSQL and DuckDB share: sums over a *numbered* relation.

A numbered relation has a row an event, with ``ts``, ``event_id``, ``day``, ``hour``, ``visitor``,
``name``, the columns that are needed and, where visits are, ``visit_no``: the number of the event's
visit within its visitor's day, null for none. Bots are not in it. A relation of visits has a row a
visit: ``day``, ``visitor``, ``visit_no``, ``views``, ``bounced``, ``lasted_ms`` and each dimension
that is needed, under its name on the wire.

Events that are in the range and match the filters are *chosen*. Sums over events count them; sums
over visits count the visits that hold one, measured whole; sums over engagement go by the page of
each visit that there was some with.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    column,
    false,
    func,
    literal,
    literal_column,
    select,
    true,
    union_all,
    values,
)

from api.query.buckets import bucket
from api.query.conditions import holds
from api.query.plan import OF_ENGAGEMENT, OF_EVENTS, OF_MONEY, OF_VISITS, Needs, needs
from api.query.ranges import Range
from api.query.scope import within
from api.query.sums import MAX_GROUPS, Cut, Tally
from api.query.vocabulary import ENTRY_PAGE, GOAL, PAGE, Dimension, Kind
from shared.beacon import ENGAGEMENT, PAGEVIEW

TOTAL = "total_rows"


class Relations(NamedTuple):
    """``visits``: one row a visit, where the needs say that they are numbered."""

    numbered: FromClause
    visits: FromClause | None


def select_groups(
    relations: Relations, wanted: Range, tally: Tally, needed: Needs, cut: Cut | None
) -> Select[Any]:
    """Dimensions as ``d0…``, then the tally's sums by name; where it is cut, ordered, with how
    many rows there are uncut."""
    chosen = select_chosen(relations, wanted, tally).cte("chosen")
    return select_groups_of(chosen, tally, needed, cut)


def select_total(relations: Relations, wanted: Range, tally: Tally, needed: Needs) -> Select[int]:
    """How many groups there are, for a page beyond their end."""
    chosen = select_chosen(relations, wanted, tally).cte("chosen")
    return select(func.count()).select_from(_group(chosen, tally, needed.engaged))


def key(index: int) -> str:
    """The name of a dimension's column."""
    return f"d{index}"


def select_chosen(relations: Relations, wanted: Range, tally: Tally) -> Select[Any]:
    """What the tally's filters choose, each event with its visit's measures and dimensions."""
    numbered, visits = relations
    holding = within(wanted, numbered.c.ts), holds(tally.filters, numbered, visits)
    reached = [holds(g.tree, numbered, visits).label(g.column) for g in tally.goals]
    if visits is None:
        return select(*numbered.c, *reached).where(*holding)
    of_visit = and_(
        visits.c.day == numbered.c.day,
        visits.c.visitor == numbered.c.visitor,
        visits.c.visit_no == numbered.c.visit_no,
    )
    measures = [c for c in visits.c if c.name not in ("day", "visitor", "visit_no")]
    joined = numbered.outerjoin(visits, of_visit)
    return select(*numbered.c, *measures, *reached).select_from(joined).where(*holding)


def select_groups_of(
    chosen: FromClause, tally: Tally, needed: Needs, cut: Cut | None
) -> Select[Any]:
    """As select_groups, of what has been chosen already; ``needed``: what it was chosen with."""
    grouped = _group(chosen, tally, needed.engaged)
    return all_groups(grouped) if cut is None else cut_groups(grouped, tally, cut)


def all_groups(grouped: FromClause) -> Select[Any]:
    """All that there may be, and one more."""
    return select(grouped).limit(MAX_GROUPS + 1)


def cut_groups(grouped: FromClause, tally: Tally, cut: Cut) -> Select[Any]:
    """Groups in order and cut, with how many there are uncut."""
    keys = [_sortable(grouped, index, d) for index, d in enumerate(tally.dimensions)]
    columns: dict[int | str, ColumnElement[Any]] = dict(enumerate(keys))
    columns |= {name: grouped.c[name] for name in tally.sums}
    asked = [columns[by].desc() if down else columns[by].asc() for by, down in cut.order]
    return (
        select(grouped, func.count().over().label(TOTAL))
        .order_by(*asked, *(column.asc() for column in keys))
        .limit(cut.limit)
        .offset(cut.offset)
    )


def _sortable(grouped: FromClause, index: int, dimension: Dimension) -> ColumnElement[Any]:
    column: ColumnElement[Any] = grouped.c[key(index)]
    return column if dimension.kind is Kind.TIME else column.collate("C")


def _group(chosen: FromClause, tally: Tally, engaged: bool) -> FromClause:
    """``engaged``: whether engagement is among what was chosen."""
    needed = needs(tally)
    sides: list[FromClause] = []
    if needed.events:
        sides.append(_select_events_side(chosen, tally, engaged))
    if needed.visits:
        sides.append(_select_visits_side(chosen, tally, engaged))
    if needed.engaged:
        sides.append(_select_engaged_side(chosen, tally))
    return _put_together(sides, tally)


def _select_by_goal(chosen: FromClause, tally: Tally) -> FromClause:
    """Each event once for every goal that it has reached."""
    if not any(dimension.name == GOAL for dimension in tally.dimensions):
        return chosen
    if not tally.goals:
        none = cast(literal(""), Text).label("goal")
        return select(*chosen.c, none).where(false()).subquery("by_goal")
    names = [(number, goal.name) for number, goal in enumerate(tally.goals)]
    goals = values(column("no", Integer), column("goal", Text), name="goals").data(names)
    reached = case(
        *((goals.c.no == number, chosen.c[goal.column]) for number, goal in enumerate(tally.goals))
    )
    joined = chosen.join(goals, reached)
    return select(*chosen.c, goals.c.goal).select_from(joined).subquery("by_goal")


def _select_events_side(chosen: FromClause, tally: Tally, engaged: bool) -> FromClause:
    chosen = _select_by_goal(chosen, tally)
    has_revenue = any(name in OF_MONEY for name in tally.sums)
    revenue = chosen.c.revenue if has_revenue else literal_column("0")
    keys = [_value(chosen, d).label(key(i)) for i, d in enumerate(tally.dimensions)]
    by_visitor = (
        select(
            *keys,
            chosen.c.day,
            chosen.c.visitor,
            func.count().label("events"),
            func.count().filter(chosen.c.name == PAGEVIEW).label("pageviews"),
            func.sum(revenue).label("revenue"),
            func.count(revenue).label("paid"),
        )
        .where(*_has_visit(chosen, tally.dimensions), _is_event(chosen, engaged))
        .group_by(*keys, chosen.c.day, chosen.c.visitor)
        .subquery("by_visitor")
    )
    names = [by_visitor.c[key(i)] for i in range(len(tally.dimensions))]
    sums = {
        "visitors": func.count(by_visitor.c.visitor),
        "events": func.sum(by_visitor.c.events),
        "pageviews": func.sum(by_visitor.c.pageviews),
        "revenue": func.sum(by_visitor.c.revenue),
        "paid": func.sum(by_visitor.c.paid),
    }
    own = (*OF_EVENTS, *OF_MONEY)
    return _summed(by_visitor, names, sums, own, tally).group_by(*names).subquery("events_side")


def _select_visits_side(chosen: FromClause, tally: Tally, engaged: bool) -> FromClause:
    keys = [_value_of_visit(chosen, d).label(key(i)) for i, d in enumerate(tally.dimensions)]
    key_of_visit = (chosen.c.day, chosen.c.visitor, chosen.c.visit_no)
    measures = (chosen.c.views, chosen.c.bounced, chosen.c.lasted_ms)
    by_visit = (
        select(*keys, *key_of_visit, *measures)
        .where(chosen.c.views.is_not(None), _is_event(chosen, engaged))
        .distinct()
        .subquery("by_visit")
    )
    names = [by_visit.c[key(i)] for i in range(len(tally.dimensions))]
    sums = {
        "visits": func.count(),
        "views": func.sum(by_visit.c.views),
        "bounced": func.sum(by_visit.c.bounced),
        "lasted_ms": func.sum(by_visit.c.lasted_ms),
    }
    return _summed(by_visit, names, sums, OF_VISITS, tally).group_by(*names).subquery("visits_side")


def _select_engaged_side(chosen: FromClause, tally: Tally) -> FromClause:
    keys = [_value(chosen, d).label(key(i)) for i, d in enumerate(tally.dimensions)]
    place = (chosen.c.day, chosen.c.visitor, chosen.c.visit_no, chosen.c.page)
    says_something = func.coalesce(chosen.c.engaged_ms, chosen.c.scroll_pct).is_not(None)
    by_place = (
        select(
            *keys,
            func.sum(chosen.c.engaged_ms).label("engaged_ms"),
            func.max(chosen.c.scroll_pct).label("deepest"),
        )
        .where(chosen.c.name == ENGAGEMENT, chosen.c.views.is_not(None), says_something)
        .group_by(*keys, *place)
        .subquery("by_place")
    )
    names = [by_place.c[key(i)] for i in range(len(tally.dimensions))]
    sums = {
        "engaged_ms": func.sum(by_place.c.engaged_ms),
        "engaged_visits": func.count(by_place.c.engaged_ms),
        "scroll_pct": func.sum(by_place.c.deepest),
        "scroll_visits": func.count(by_place.c.deepest),
    }
    own = OF_ENGAGEMENT
    return _summed(by_place, names, sums, own, tally).group_by(*names).subquery("engaged_side")


def _is_event(chosen: FromClause, engaged: bool) -> ColumnElement[bool]:
    return chosen.c.name != ENGAGEMENT if engaged else true()


def _summed(
    rows: FromClause,
    names: Sequence[ColumnElement[Any]],
    sums: dict[str, Any],
    of_side: tuple[str, ...],
    tally: Tally,
) -> Select[Any]:
    """The side's own sums of the tally, and 0 for what the other sides count."""
    columns = [
        cast(func.coalesce(sums[name], 0), BigInteger) if name in of_side else _ZERO
        for name in tally.sums
    ]
    labelled = (column.label(name) for column, name in zip(columns, tally.sums, strict=True))
    return select(*names, *labelled).select_from(rows)


_ZERO = cast(literal_column("0"), BigInteger)


def _put_together(sides: Sequence[FromClause], tally: Tally) -> FromClause:
    """A row for every group of any side."""
    if len(sides) == 1:
        return sides[0]
    both = union_all(*(select(side) for side in sides)).subquery("sides")
    names = [both.c[key(index)] for index in range(len(tally.dimensions))]
    sums = [
        cast(func.coalesce(func.sum(both.c[name]), 0), BigInteger).label(name)
        for name in tally.sums
    ]
    return select(*names, *sums).group_by(*names).subquery("grouped")


def _value(chosen: FromClause, dimension: Dimension) -> ColumnElement[Any]:
    """What an event counts under."""
    if dimension.kind is Kind.TIME:
        return bucket(chosen, dimension.column)
    return chosen.c[dimension.name if dimension.kind is Kind.VISIT else dimension.column]


def _value_of_visit(chosen: FromClause, dimension: Dimension) -> ColumnElement[Any]:
    """What a visit counts under: by page, it is its entry page."""
    return chosen.c[ENTRY_PAGE] if dimension.name == PAGE else _value(chosen, dimension)


def _has_visit(chosen: FromClause, dimensions: Sequence[Dimension]) -> list[ColumnElement[bool]]:
    """An event without a visit stands in no row of a visit's dimension."""
    return [chosen.c[d.name].is_not(None) for d in dimensions if d.kind is Kind.VISIT]
