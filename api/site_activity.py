"""How busy each site is, for lists of sites."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.sites import Site
from api.zones import midnight
from writer.tables import events

_AHEAD = timedelta(minutes=10)
"""Events may be some minutes ahead of the clock; what lies further is nobody's last event."""


class Activity(msgspec.Struct, frozen=True):
    """``events_today``: those that count, of the site's own day."""

    events_today: int
    last_event_at: datetime | None


async def read_activity(
    db: AsyncConnection, sites: Sequence[Site], now: datetime
) -> Mapping[str, Activity]:
    """By the site's key, bots left out."""
    return {site.key: await _read_one(db, site, now) for site in sites}


async def _read_one(db: AsyncConnection, site: Site, now: datetime) -> Activity:
    counted = (
        (events.c.site_id == site.site_id)
        & events.c.bot.is_(None)
        & events.c.commit_out.is_(None)
        & (events.c.commit_in <= func.settled())
        & (events.c.ts < now + _AHEAD)
    )
    begins = midnight(site.zone, now.astimezone(site.zone).date())
    today = await db.scalar(
        select(func.count()).where(counted, events.c.ts >= begins, events.c.name != "engagement")
    )
    last = await db.scalar(select(events.c.ts).where(counted).order_by(events.c.ts.desc()).limit(1))
    return Activity(int(today or 0), last)
