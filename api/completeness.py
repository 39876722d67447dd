"""What the API says of completeness; what it means stands in `shared.completeness`."""

import asyncio
import time
from datetime import date, datetime, timedelta

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.sites import Site
from shared.completeness import READ, EdgeCompleteness, Found, judge, parameters
from shared.errors import Code, Refusal
from writer.tables import accepted_loss

DAY_CLOSES_AFTER = timedelta(hours=24)
"""A beacon may say that it happened so long before it was received."""


SETTLES_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.05


async def read_completeness(db: AsyncConnection, now: datetime) -> list[EdgeCompleteness]:
    """Every registered edge, by name, once queries can see all that it counts as stored. Raises
    Refusal."""
    found = [Found._make(row) for row in await db.exec_driver_sql(READ, parameters(now))]
    await _until_settled(db, max((record.commit_no or 0 for record in found), default=0))
    return [judge(record, now) for record in found]


async def _until_settled(db: AsyncConnection, commit_no: int) -> None:
    """A query does not see a commit while one with a lower number is open."""
    deadline_s = time.monotonic() + SETTLES_WITHIN_S
    while int(await db.scalar(select(func.settled())) or 0) < commit_no:
        if time.monotonic() >= deadline_s:
            message = "a transaction of the writer is open for long"
            raise Refusal(Code.UNAVAILABLE, message, retry_after_s=1)
        await asyncio.sleep(_LOOK_EVERY_S)


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
