"""What the API says of completeness; what it means stands in `shared.completeness`."""

from datetime import date, datetime, timedelta

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.sites import Site
from shared.completeness import READ, EdgeCompleteness, judge, parameters
from writer.tables import accepted_loss

DAY_CLOSES_AFTER = timedelta(hours=24)
"""A beacon may say that it happened so long before it was received."""


async def read_completeness(db: AsyncConnection, now: datetime) -> list[EdgeCompleteness]:
    """Every registered edge, by name."""
    rows = await db.exec_driver_sql(READ, parameters(now))
    return [judge(tuple(row), now) for row in rows]


class AcceptedLoss(msgspec.Struct, frozen=True):
    """Batches that an edge received between ``since`` and ``until`` and that are lost for ever, as
    an operator has found. ``first_day`` to ``last_day``: the site's days that may lack something,
    where a site was asked for: an event may be so much older than its beacon."""

    edge: str
    batches: int
    events: int
    since: datetime
    until: datetime
    accepted_at: datetime
    first_day: date | None
    last_day: date | None


async def read_accepted_losses(db: AsyncConnection, site: Site | None) -> list[AcceptedLoss]:
    """Every accepted loss, the oldest first."""
    names = ("edge", "batches", "events", "since", "until", "accepted_at")
    columns = [accepted_loss.c[name] for name in names]
    found = []
    for row in await db.execute(select(*columns).order_by(accepted_loss.c.loss_id)):
        days = (row.since - DAY_CLOSES_AFTER, row.until)
        first, last = (None if site is None else day.astimezone(site.zone).date() for day in days)
        found.append(AcceptedLoss(**row._mapping, first_day=first, last_day=last))
    return found


def closed_through(site: Site, final: datetime) -> date:
    """The last of a site's days that can no longer change."""
    return (final - DAY_CLOSES_AFTER).astimezone(site.zone).date() - timedelta(days=1)
