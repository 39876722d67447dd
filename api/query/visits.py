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
    func,
    literal,
    select,
)

from api.query.plan import Needs
from api.query.scope import Scope, whole_days
from api.query.vocabulary import DIMENSIONS, ENTRY_PAGE, EXIT_PAGE
from shared.beacon import PAGEVIEW
from writer.tables import events

MAX_GAP = timedelta(minutes=30)

ALWAYS = ("ts", "event_id", "day", "hour", "visitor", "name")
"""Columns that every count needs."""


def select_counted(scope: Scope, needed: Needs) -> CTE:
    """The events of the touched days, with the columns that are needed."""
    names = {*ALWAYS, *needed.event_columns, *(("interactive", "page") if needed.numbered else ())}
    columns = [events.c[name] for name in sorted(names)]
    return select(*columns).where(whole_days(scope)).cte("counted")


def select_numbered(counted: CTE) -> CTE:
    """Each event with the number of its visit within the visitor's day. Events without a visitor
    get one too, which nothing joins."""
    gap = counted.c.ts - _in_order(func.lag(counted.c.ts), counted)
    begins = case((gap <= literal(MAX_GAP, Interval), 0), else_=1)
    marked = select(*counted.c, begins.label("begins")).cte("marked")
    visit_no = _in_order(func.sum(marked.c.begins), marked)
    columns = (column for column in marked.c if column.name != "begins")
    return select(*columns, visit_no.label("visit_no")).cte("numbered")


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
        )
        .where(numbered.c.visitor.is_not(None))
        .group_by(*key)
        .cte("measured_visits")
    )
    return select(*(_first(column) for column in measured.c)).cte("visits")


def _whole_ms(lasted: ColumnElement[timedelta]) -> ColumnElement[Any]:
    """Whole microseconds first: DuckDB's seconds are floats."""
    microseconds = func.round(extract("epoch", lasted) * 1_000_000)
    return cast(func.floor(microseconds / 1_000), BigInteger)


def _values(numbered: FromClause, name: str) -> ColumnElement[Any]:
    """The dimension's values in the visit, the one that counts first; null for no pageview."""
    column = numbered.c[DIMENSIONS[name].column]
    ts, event_id = numbered.c.ts, numbered.c.event_id
    order = (ts.desc(), event_id.desc()) if name == EXIT_PAGE else (ts.asc(), event_id.asc())
    values: Any = func.array_agg(column).aggregate_order_by(*order)
    if name in (ENTRY_PAGE, EXIT_PAGE):
        values = values.filter(numbered.c.name == PAGEVIEW)
    return cast(values, ARRAY(Text))


def _first(column: Any) -> ColumnElement[Any]:
    """An array's first value; a plain column as it is."""
    if isinstance(column.type, ARRAY):
        return func.coalesce(column[1], "").label(column.name)
    plain: ColumnElement[Any] = column
    return plain
