"""The answer counted from rows in TimescaleDB: one statement, integers out.

Events that are in the range and match the filters are *chosen*. Event metrics count them; visit
metrics count the visits that hold one, measured whole.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    and_,
    func,
    select,
    true,
)

from api.query.buckets import bucket
from api.query.conditions import holds
from api.query.measures import measure
from api.query.parse import Query
from api.query.plan import Plan
from api.query.scope import Scope, within
from api.query.visits import select_counted, select_numbered, select_visits
from api.query.vocabulary import ENTRY_PAGE, PAGE, Dimension, Kind
from shared.beacon import PAGEVIEW

TOTAL = "total_rows"


def select_answer(scope: Scope, query: Query, plan: Plan) -> Select[Any]:
    """The rows of the answer, ordered and cut: dimensions as ``d0…``, metrics by name, and how
    many rows there are uncut."""
    grouped = _select_grouped(scope, query, plan)
    metrics = [measure(grouped, name).label(name) for name in query.metrics]
    keys = [grouped.c[_key(index)] for index in range(len(query.dimensions))]
    measured = select(*keys, *metrics).cte("measured")
    return (
        select(measured, func.count().over().label(TOTAL))
        .order_by(*_order(measured, query))
        .limit(query.limit)
        .offset(query.offset)
    )


def select_total(scope: Scope, query: Query, plan: Plan) -> Select[Any]:
    """How many rows the answer has, for a page beyond its end."""
    return select(func.count()).select_from(_select_grouped(scope, query, plan))


def _select_grouped(scope: Scope, query: Query, plan: Plan) -> CTE:
    chosen = _select_chosen(scope, query, plan)
    sides = []
    if plan.event_metrics:
        sides.append(_select_events_side(chosen, query))
    if plan.visit_metrics:
        sides.append(_select_visits_side(chosen, query))
    return sides[0] if len(sides) == 1 else _join_sides(sides[0], sides[1], query)


def _select_chosen(scope: Scope, query: Query, plan: Plan) -> CTE:
    counted = select_counted(scope, plan)
    if not plan.visits:
        in_range = within(scope.range, counted.c.ts)
        chosen = select(counted).where(in_range, holds(query.filters, counted, None))
        return chosen.cte("chosen")
    numbered = select_numbered(counted)
    visits = select_visits(numbered, plan)
    of_visit = and_(
        visits.c.day == numbered.c.day,
        visits.c.visitor == numbered.c.visitor,
        visits.c.visit_no == numbered.c.visit_no,
    )
    measures = [c for c in visits.c if c.name not in ("day", "visitor", "visit_no")]
    return (
        select(*(c for c in numbered.c if c.name != "begins"), *measures)
        .select_from(numbered.outerjoin(visits, of_visit))
        .where(within(scope.range, numbered.c.ts), holds(query.filters, numbered, visits))
        .cte("chosen")
    )


def _select_events_side(chosen: CTE, query: Query) -> CTE:
    keys = [_value(chosen, d).label(_key(i)) for i, d in enumerate(query.dimensions)]
    by_visitor = (
        select(
            *keys,
            chosen.c.day,
            chosen.c.visitor,
            func.count().label("events"),
            func.count().filter(chosen.c.name == PAGEVIEW).label("pageviews"),
        )
        .where(*_has_visit(chosen, query.dimensions))
        .group_by(*keys, chosen.c.day, chosen.c.visitor)
        .cte("by_visitor")
    )
    names = [by_visitor.c[_key(i)] for i in range(len(query.dimensions))]
    return (
        select(
            *names,
            func.count(by_visitor.c.visitor).label("visitors"),
            _sum(by_visitor.c.events).label("events"),
            _sum(by_visitor.c.pageviews).label("pageviews"),
        )
        .group_by(*names)
        .cte("events_side")
    )


def _select_visits_side(chosen: CTE, query: Query) -> CTE:
    keys = [_value_of_visit(chosen, d).label(_key(i)) for i, d in enumerate(query.dimensions)]
    key_of_visit = (chosen.c.day, chosen.c.visitor, chosen.c.visit_no)
    measures = (chosen.c.views, chosen.c.bounced, chosen.c.lasted_ms)
    by_visit = (
        select(*keys, *key_of_visit, *measures)
        .where(chosen.c.views.is_not(None))
        .distinct()
        .cte("by_visit")
    )
    names = [by_visit.c[_key(i)] for i in range(len(query.dimensions))]
    return (
        select(
            *names,
            func.count().label("visits"),
            _sum(by_visit.c.views).label("views"),
            _sum(by_visit.c.bounced).label("bounced"),
            _sum(by_visit.c.lasted_ms).label("lasted_ms"),
        )
        .group_by(*names)
        .cte("visits_side")
    )


def _join_sides(events_side: CTE, visits_side: CTE, query: Query) -> CTE:
    """A row for every group of either side; what a side lacks is 0."""
    names = [_key(index) for index in range(len(query.dimensions))]
    same = and_(true(), *(events_side.c[n] == visits_side.c[n] for n in names))
    joined = events_side.join(visits_side, same, full=bool(names))
    keys = [func.coalesce(events_side.c[n], visits_side.c[n]).label(n) for n in names]
    counts = [
        func.coalesce(column, 0).label(column.name)
        for column in (*events_side.c, *visits_side.c)
        if column.name not in names
    ]
    return select(*keys, *counts).select_from(joined).cte("grouped")


def _key(index: int) -> str:
    return f"d{index}"


def _value(chosen: CTE, dimension: Dimension) -> ColumnElement[Any]:
    """What an event counts under."""
    if dimension.kind is Kind.TIME:
        return bucket(chosen, dimension.column)
    return chosen.c[dimension.name if dimension.kind is Kind.VISIT else dimension.column]


def _value_of_visit(chosen: CTE, dimension: Dimension) -> ColumnElement[Any]:
    """What a visit counts under: by page, it is its entry page."""
    return chosen.c[ENTRY_PAGE] if dimension.name == PAGE else _value(chosen, dimension)


def _has_visit(chosen: CTE, dimensions: Sequence[Dimension]) -> list[ColumnElement[bool]]:
    """An event without a visit stands in no row of a visit's dimension."""
    return [chosen.c[d.name].is_not(None) for d in dimensions if d.kind is Kind.VISIT]


def _sum(column: Any) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0)


def _order(measured: CTE, query: Query) -> list[ColumnElement[Any]]:
    """As asked, ties by the dimensions ascending."""
    keys = {d.name: _sortable(measured, i, d) for i, d in enumerate(query.dimensions)}
    asked = [
        (column.desc() if order.descending else column.asc())
        for order in query.order
        for column in [keys[order.name] if order.name in keys else measured.c[order.name]]
    ]
    return [*asked, *(key.asc() for key in keys.values())]


def _sortable(measured: CTE, index: int, dimension: Dimension) -> ColumnElement[Any]:
    column = measured.c[_key(index)]
    return column if dimension.kind is Kind.TIME else column.collate("C")
