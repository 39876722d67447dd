"""Visits put together from events by window functions.

A visit is a visitor's events of one site-day with no gap over 30 minutes, in the order of
(ts, event id). A gap of exactly 30 minutes does not end it.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    FunctionElement,
    Interval,
    Over,
    Text,
    and_,
    case,
    cast,
    extract,
    false,
    func,
    literal,
    select,
    true,
)

from api.query.conditions import holds
from api.query.filters import HasDone
from api.query.plan import Needs
from api.query.props import is_prop, prop
from api.query.scope import Scope, whole_days
from api.query.vocabulary import DIMENSIONS, OF_ITS_LAST, OF_ITS_PAGEVIEWS
from shared.beacon import ENGAGEMENT, PAGEVIEW
from writer.tables import events

MAX_GAP = timedelta(minutes=30)

ALWAYS = ("ts", "event_id", "day", "hour", "visitor", "name")
"""Columns that every count needs."""


def select_counted(scope: Scope, needed: Needs) -> CTE:
    """The events of the touched days, with the columns that are needed."""
    names = {*ALWAYS, *needed.event_columns, *(("interactive", "page") if needed.numbered else ())}
    columns = [_column(name) for name in sorted(names)]
    return select(*columns).where(whole_days(scope, needed.engaged)).cte("counted")


def _column(name: str) -> ColumnElement[Any]:
    return prop(events.c.props, name) if is_prop(name) else events.c[name]


def select_numbered(counted: CTE, needed: Needs) -> CTE:
    """Each event with the number of its visit within the visitor's day, engagement with that of
    the visit before it, null for none. Events without a visitor get one too, which nothing
    joins."""
    gap = counted.c.ts - _time_before(counted, needed)
    begins = case((gap <= literal(MAX_GAP, Interval), 0), else_=1)
    if needed.engaged:
        begins = case((counted.c.name == ENGAGEMENT, 0), else_=begins)
    marked = select(*counted.c, begins.label("begins")).cte("marked")
    visit_no: Any = _in_order(func.sum(marked.c.begins), marked)
    if needed.engaged:
        visit_no = func.nullif(visit_no, 0)
    columns = (column for column in marked.c if column.name != "begins")
    return select(*columns, visit_no.label("visit_no")).cte("numbered")


def _time_before(counted: CTE, needed: Needs) -> ColumnElement[Any]:
    """When the visitor's last event before this one was."""
    if not needed.engaged:
        return _in_order(func.lag(counted.c.ts), counted)
    of_event = func.max(counted.c.ts).filter(counted.c.name != ENGAGEMENT)
    return of_event.over(
        partition_by=(counted.c.day, counted.c.visitor),
        order_by=(counted.c.ts, counted.c.event_id),
        rows=(None, -1),
    )


def _in_order(function: FunctionElement[Any], rows: CTE) -> Over[Any]:
    """Over one visitor's events of one day, in their order."""
    return function.over(
        partition_by=(rows.c.day, rows.c.visitor), order_by=(rows.c.ts, rows.c.event_id)
    )


def select_visits(numbered: FromClause, needed: Needs) -> CTE:
    """One row a visit: what is measured of it, and the dimensions that are needed."""
    is_pageview = numbered.c.name == PAGEVIEW
    pageviews = func.count().filter(is_pageview)
    others = func.count().filter(and_(numbered.c.interactive, ~is_pageview))
    lasted = func.max(numbered.c.ts) - func.min(numbered.c.ts)
    key = (numbered.c.day, numbered.c.visitor, numbered.c.visit_no)
    measured = (
        select(
            *key,
            pageviews.label("views"),
            case((and_(pageviews == 1, others == 0), 1), else_=0).label("bounced"),
            _whole_ms(lasted).label("lasted_ms"),
            *(_values(numbered, name).label(name) for name in sorted(needed.visit_dimensions)),
            *(_was_done(numbered, deed).label(deed.column) for deed in needed.deeds),
        )
        .where(
            numbered.c.visitor.is_not(None),
            numbered.c.name != ENGAGEMENT if needed.engaged else true(),
        )
        .group_by(*key)
        .cte("measured_visits")
    )
    return select(*(_first(column) for column in measured.c)).cte("visits")


def _was_done(numbered: FromClause, deed: HasDone) -> ColumnElement[bool]:
    return func.coalesce(func.bool_or(holds(deed.part, numbered, None)), false())


def _whole_ms(lasted: ColumnElement[timedelta]) -> ColumnElement[Any]:
    """Whole microseconds first: DuckDB's seconds are floats."""
    microseconds = func.round(extract("epoch", lasted) * 1_000_000)
    return cast(func.floor(microseconds / 1_000), BigInteger)


def _values(numbered: FromClause, name: str) -> ColumnElement[Any]:
    """The dimension's values in the visit, the one that counts first; null for no pageview."""
    column = numbered.c[DIMENSIONS[name].column]
    ts, event_id = numbered.c.ts, numbered.c.event_id
    last = name in OF_ITS_LAST
    order = (ts.desc(), event_id.desc()) if last else (ts.asc(), event_id.asc())
    values: Any = func.array_agg(column).aggregate_order_by(*order)
    if name in OF_ITS_PAGEVIEWS:
        values = values.filter(numbered.c.name == PAGEVIEW)
    return cast(values, ARRAY(Text))


def _first(column: Any) -> ColumnElement[Any]:
    """An array's first value; a plain column as it is."""
    if isinstance(column.type, ARRAY):
        return func.coalesce(column[1], "").label(column.name)
    plain: ColumnElement[Any] = column
    return plain
