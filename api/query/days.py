"""Instants that cut no day of the site's are days: what is rolled up by day can answer."""

from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.ranges import Days, Range
from writer.tables import site_day


async def whole_days(db: AsyncConnection, site_id: int, wanted: Range) -> Range:
    """The same range as days, where it begins and ends with days that the site has; else as it
    is. Which zone each day was counted in, only its row knows."""
    if isinstance(wanted, Days):
        return wanted
    within = and_(site_day.c.starts_at >= wanted.since, site_day.c.ends_at <= wanted.until)
    cut = or_(_straddles(wanted.since), _straddles(wanted.until))
    asked = select(
        func.min(site_day.c.day).filter(within),
        func.max(site_day.c.day).filter(within),
        func.count().filter(cut),
    ).where(
        site_day.c.site_id == site_id,
        site_day.c.ends_at > wanted.since,
        site_day.c.starts_at < wanted.until,
    )
    first, last, cuts = (await db.execute(asked)).one()
    return wanted if cuts or first is None or last is None else Days(first, last)


def _straddles(moment: datetime) -> Any:
    return and_(site_day.c.starts_at < moment, site_day.c.ends_at > moment)
