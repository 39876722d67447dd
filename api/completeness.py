"""What the API says of completeness; what it means stands in `shared.completeness`."""

from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from api.sites import Site
from shared.completeness import READ, EdgeCompleteness, judge, parameters

DAY_CLOSES_AFTER = timedelta(hours=24)
"""A beacon may say that it happened so long before it was received."""


async def read_completeness(db: AsyncConnection, now: datetime) -> list[EdgeCompleteness]:
    """Every registered edge, by name."""
    rows = await db.exec_driver_sql(READ, parameters(now))
    return [judge(tuple(row), now) for row in rows]


def closed_through(site: Site, final: datetime) -> date:
    """The last of a site's days that can no longer change."""
    return (final - DAY_CLOSES_AFTER).astimezone(site.zone).date() - timedelta(days=1)
