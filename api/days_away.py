"""Days whose rows are not in the database: what a look at rows alone would overlook."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from writer.tables import site_day

AWAY = ("file", "gone")
"""States of days that the archive or the rollups hold alone."""


async def first_day_away(db: AsyncConnection, site_id: int) -> date | None:
    """The first day of a site that only archive or rollups hold."""
    found: date | None = await db.scalar(_least(site_day.c.day, site_id))
    return found


async def first_instant_away(db: AsyncConnection, site_id: int) -> datetime | None:
    """When that day begins."""
    found: datetime | None = await db.scalar(_least(site_day.c.starts_at, site_id))
    return found


def _least(column: Any, site_id: int) -> Select[Any]:
    return select(func.min(column)).where(site_day.c.site_id == site_id, site_day.c.state.in_(AWAY))
