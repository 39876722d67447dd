"""Sums read from rollups: questions over whole days, by no dimension or by one, and with no filter
or filters by that one alone.

Each is one scan of the rollups' key. What is not in them, of a day: a dimension with too many
values, and a property that was not declared then.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Table,
    any_,
    cast,
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.buckets import bucket
from api.query.conditions import holds
from api.query.filters import Filter, Leaf, Unless, deeds, leaves
from api.query.plan import OF_ENGAGEMENT, OF_EVENTS, OF_VISITS, spans_of
from api.query.props import COLUMN as PROPS
from api.query.props import is_prop
from api.query.ranges import Days
from api.query.statements import all_groups, cut_groups, key
from api.query.sums import Counted, Groups, Tally, Wanted
from api.query.vocabulary import OF_ITS_PAGEVIEWS, Dimension, Kind
from writer.tables import rollup_day, rollup_hour, rollup_left_out, rollup_props

WHOLE, NAME = "", "name"
HOURLY = (WHOLE, NAME)
"""The site's totals and event names are rolled up by hour too."""

PAGE_ROLLED = "page"
OF_EVENT = (PAGE_ROLLED, NAME, "hostname")
_NOT_ROLLED = frozenset(("visit:entry_page_hostname", "visit:exit_page_hostname"))


class Rolled(NamedTuple):
    """Where the groups of a tally are rolled up. ``dimension``: as the rollups call it."""

    table: Table
    dimension: str


def find_rolled(tally: Tally) -> Rolled | None:
    """None where rollups cannot answer."""
    filtered = [leaf.dimension for leaf in leaves(tally.filters)]
    grouped = [d for d in tally.dimensions if d.kind is not Kind.TIME]
    names = {_dimension(dimension) for dimension in (*grouped, *filtered)} or {WHOLE}
    dimension = names.pop()
    if names or dimension is None or tally.goals or any(deeds(tally.filters)):
        return None
    hourly = any(d.column == "hour" for d in tally.dimensions if d.kind is Kind.TIME)
    if hourly and dimension not in HOURLY:
        return None
    if not set(tally.sums) <= _known(tally, dimension, bool(grouped), hourly):
        return None
    return Rolled(rollup_hour if hourly else rollup_day, dimension)


def _known(tally: Tally, dimension: str, grouped: bool, hourly: bool) -> set[str]:
    """The sums that the rows of the dimension give. ``grouped``: whether its values are told
    apart; else those that fit are added up, and that a visitor may have several must not show."""
    known = {*OF_EVENTS, *OF_VISITS}
    if dimension == PAGE_ROLLED and not hourly:
        known |= {*OF_ENGAGEMENT}
    filters = tally.filters.parts
    if not filters:
        return known
    of_visits = dimension not in OF_EVENT and not is_prop(dimension)
    if dimension == PAGE_ROLLED or (not of_visits and not grouped and not _is_one_value(filters)):
        # A visit stands at its entry page alone, and may hold events of several values.
        known -= {*OF_VISITS}
    if not grouped and not _is_one_value(filters):
        known -= {"visitors"}
    if not grouped and of_visits and any(isinstance(part, Unless) for part in filters):
        # What no exclusion takes out may have no visit, and so no row here.
        known.clear()
    return known


def _is_one_value(filters: Sequence[Filter]) -> bool:
    match filters:
        case (Leaf(test="is", negated=False, values=(_,), case_sensitive=True),):
            return True
    return False


async def read_left_out(
    db: AsyncConnection, site_id: int, span: Days
) -> dict[str, tuple[Days, ...]]:
    """Days of which the rollups lack a dimension, by its name there."""
    column = rollup_left_out.c
    asked = select(column.dimension, column.day).where(
        column.site_id == site_id, column.day.between(span.first, span.last)
    )
    days = defaultdict[str, list[date]](list)
    for dimension, day in await db.execute(asked):
        days[dimension].append(day)
    return {dimension: spans_of(each) for dimension, each in days.items()}


async def read_undeclared(
    db: AsyncConnection, site_id: int, rolled: Rolled, span: Days
) -> tuple[Days, ...]:
    """Days of which the rollups hold something, but not the property."""
    if not is_prop(rolled.dimension):
        return ()
    column, prop = rollup_props.c, rolled.dimension.removeprefix(PROPS)
    asked = select(column.day).where(
        column.site_id == site_id,
        column.day.between(span.first, span.last),
        not_(literal(prop) == any_(column["keys"])),
    )
    return spans_of(await db.scalars(asked))


async def count_rollups(
    db: AsyncConnection,
    site_id: int,
    spans: tuple[Days, ...],
    rolled: Rolled,
    wanted: Wanted,
) -> Counted:
    """The tally's groups over these days."""
    tally, cut = wanted
    grouped = _select_grouped(site_id, spans, tally, rolled).cte("grouped")
    statement = all_groups(grouped) if cut is None else cut_groups(grouped, tally, cut)
    rows = list(await db.execute(statement))
    keys = len(tally.dimensions)
    groups: Groups = {tuple(row[:keys]): tuple(row[keys : keys + len(tally.sums)]) for row in rows}
    if cut is None:
        return Counted(groups)
    if rows or not cut.offset:
        return Counted(groups, rows[0][-1] if rows else 0)
    beyond = select(func.count()).select_from(grouped)
    return Counted(groups, int(await db.scalar(beyond) or 0))


def _dimension(dimension: Dimension) -> str | None:
    """What the rollups call it; None where it is not rolled up."""
    if dimension.kind is Kind.VISIT:
        if dimension.name in _NOT_ROLLED:
            return None
        of_pages = dimension.name in OF_ITS_PAGEVIEWS
        return dimension.name.removeprefix("visit:") if of_pages else dimension.column
    if is_prop(dimension.column) or dimension.column in OF_EVENT:
        return dimension.column
    return None


def _select_grouped(
    site_id: int, spans: tuple[Days, ...], tally: Tally, rolled: Rolled
) -> Select[Any]:
    table = rolled.table.c
    # A filter finds the value under the name of its dimension.
    filtered = {leaf.dimension for leaf in leaves(tally.filters)}
    names = {name for d in filtered for name in (d.name, d.column)}
    rows = (
        select(*table, *(table.value.label(name) for name in sorted(names)))
        .where(
            table.site_id == site_id,
            table.dimension == rolled.dimension,
            or_(*(table.day.between(days.first, days.last) for days in spans)),
        )
        .subquery("rolled")
    )
    keys = [
        bucket(rows, d.column) if d.kind is Kind.TIME else rows.c.value for d in tally.dimensions
    ]
    sums = [_sum(rows.c[name]).label(name) for name in tally.sums]
    asked = select(*(column.label(key(i)) for i, column in enumerate(keys)), *sums)
    asked = asked.select_from(rows).where(holds(tally.filters, rows, rows))
    return asked.group_by(*keys).having(_is_there(rows.c, tally)) if keys else asked


def _is_there(table: Any, tally: Tally) -> ColumnElement[bool]:
    """Whether a group stands in the answer: something that the tally sums is in it."""
    presence = []
    if set(tally.sums) & set(OF_EVENTS):
        presence.append("events")
    if set(tally.sums) & set(OF_VISITS):
        presence.append("visits")
    if set(tally.sums) - {*OF_EVENTS, *OF_VISITS}:
        presence += ["engaged_visits", "scroll_visits"]
    return or_(*(func.sum(table[name]) > 0 for name in presence))


def _sum(column: ColumnElement[int]) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(column), 0), BigInteger)
