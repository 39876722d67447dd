"""The site's days that a range touches: which lie in it whole, and which have lost their rows."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.plan import spans_of
from api.query.ranges import Days, Instants, Range
from writer.tables import site_day

WITH_ROWS = ("open", "archived")
FORGOTTEN = "forgotten"


class SiteDays(msgspec.Struct, frozen=True):
    """``whole``: days that lie in the range from end to end. ``without_rows``: days that files or
    rollups hold alone. ``forgotten``: days that nothing holds."""

    whole: tuple[Days, ...]
    without_rows: frozenset[date]
    forgotten: frozenset[date]


async def read_site_days(db: AsyncConnection, site_id: int, wanted: Range) -> SiteDays:
    """Every day of a range of days is whole, also where the site has nothing of it."""
    column = site_day.c
    of_site = column.site_id == site_id
    if isinstance(wanted, Days):
        touched = and_(
            of_site,
            column.day.between(wanted.first, wanted.last),
            column.state.not_in(WITH_ROWS),
        )
    else:
        touched = and_(of_site, column.ends_at > wanted.since, column.starts_at < wanted.until)
    asked = select(column.day, column.state, column.starts_at, column.ends_at).where(touched)
    rows = list(await db.execute(asked))
    lost = {row.day: row.state for row in rows if row.state not in WITH_ROWS}
    return SiteDays(
        (wanted,) if isinstance(wanted, Days) else _whole(rows, wanted),
        frozenset(day for day, state in lost.items() if state != FORGOTTEN),
        frozenset(day for day, state in lost.items() if state == FORGOTTEN),
    )


def _whole(rows: Iterable[Any], wanted: Instants) -> tuple[Days, ...]:
    within = (r for r in rows if r.starts_at >= wanted.since and r.ends_at <= wanted.until)
    return spans_of(row.day for row in within)
