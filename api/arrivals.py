"""What has arrived for a site, and what became of it: for somebody who waits for the first event.

The edges' counts come with their heartbeats, the core's with the commits that decided, so both are
a second old at most. Edges count what no site of theirs can be told of under an empty name.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.days_away import first_instant_away
from api.sites import Site
from writer.tables import boot, edge, edge_count, events, ledger_count, quarantine

MOST_ROWS = 10_000
"""Bots are counted among so many of the newest rows."""

LATELY = timedelta(days=1)
"""What no site can be told of is counted by the workers that were heard since."""

_REFUSED, _DROPPED = "refused:", "dropped:"


class Bots(msgspec.Struct, frozen=True):
    """Events that are left out of the numbers, by the rule that matched."""

    rule: str
    events: int


class Arrivals(msgspec.Struct, frozen=True):
    """``first_event_at``: when the first event that counts happened. ``stored``: bots too.
    ``under_way``: acknowledged by an edge, and not yet decided on. ``refused`` by error code,
    ``dropped`` by reason, ``quarantined`` by reason as far as it is still held. ``elsewhere``:
    refusals and drops of the last day's workers that belong to no known site, by outcome.
    ``edge_heard_at``: when an edge was last heard of, any of them."""

    first_event_at: datetime | None
    stored: int
    under_way: int
    bots: tuple[Bots, ...]
    refused: dict[str, int]
    dropped: dict[str, int]
    quarantined: dict[str, int]
    elsewhere: dict[str, int]
    edge_heard_at: datetime | None


async def read_arrivals(db: AsyncConnection, site: Site, now: datetime) -> Arrivals:
    """As of now."""
    told, decided = await _read_told(db, site), await _read_decided(db, site)
    received, waiting = told.pop("received", 0), decided.pop("waiting", 0)
    return Arrivals(
        first_event_at=await read_first_event_at(db, site),
        stored=decided["stored"],
        under_way=max(waiting, received - decided.total()),
        bots=await _read_bots(db, site),
        refused=_by_reason(told, _REFUSED),
        dropped=_by_reason(told + decided, _DROPPED),
        quarantined=await _read_quarantined(db, site),
        elsewhere=await _read_elsewhere(db, now),
        edge_heard_at=await db.scalar(select(func.max(edge.c.last_heard))),
    )


async def read_first_event_at(db: AsyncConnection, site: Site) -> datetime | None:
    """When the first event that counts happened, as far as a question would see it; where its row
    has left the database, when its day began."""
    statement = (
        select(events.c.ts)
        .where(events.c.site_id == site.site_id, events.c.bot.is_(None))
        .where(events.c.commit_out.is_(None), events.c.commit_in <= func.settled())
        .order_by(events.c.ts)
        .limit(1)
    )
    first_row: datetime | None = await db.scalar(statement)
    first_away = await first_instant_away(db, site.site_id)
    return min((at for at in (first_row, first_away) if at is not None), default=None)


async def _read_bots(db: AsyncConnection, site: Site) -> tuple[Bots, ...]:
    newest = (
        select(events.c.bot)
        .where(events.c.site_id == site.site_id, events.c.commit_out.is_(None))
        .order_by(events.c.ts.desc())
        .limit(MOST_ROWS)
        .subquery()
    )
    many = func.count()
    statement = (
        select(newest.c.bot, many)
        .where(newest.c.bot.is_not(None))
        .group_by(newest.c.bot)
        .order_by(many.desc(), newest.c.bot)
    )
    return tuple(Bots(*row) for row in await db.execute(statement))


async def _read_told(db: AsyncConnection, site: Site) -> Counter[str]:
    """By outcome, as the edges tell."""
    statement = select(edge_count.c.outcome, func.sum(edge_count.c.events)).where(
        edge_count.c.site == site.key
    )
    return _counter(await db.execute(statement.group_by(edge_count.c.outcome)))


async def _read_decided(db: AsyncConnection, site: Site) -> Counter[str]:
    """By outcome, as the writers decided."""
    statement = select(ledger_count.c.outcome, func.sum(ledger_count.c.events)).where(
        ledger_count.c.site == site.key
    )
    return _counter(await db.execute(statement.group_by(ledger_count.c.outcome)))


async def _read_quarantined(db: AsyncConnection, site: Site) -> dict[str, int]:
    statement = select(quarantine.c.reason, func.count()).where(
        quarantine.c.site == site.key, quarantine.c.state == "held"
    )
    return _counter(await db.execute(statement.group_by(quarantine.c.reason)))


async def _read_elsewhere(db: AsyncConnection, now: datetime) -> dict[str, int]:
    workers = (boot.c.edge == edge_count.c.edge) & (boot.c.boot == edge_count.c.boot)
    statement = (
        select(edge_count.c.outcome, func.sum(edge_count.c.events))
        .join_from(edge_count, boot, workers)
        .where(edge_count.c.site == "", boot.c.last_heard > now - LATELY)
        .group_by(edge_count.c.outcome)
    )
    return _counter(await db.execute(statement))


def _counter(rows: Iterable[Any]) -> Counter[str]:
    return Counter({row[0]: int(row[1]) for row in rows})


def _by_reason(counts: Counter[str], prefix: str) -> dict[str, int]:
    return {
        outcome.removeprefix(prefix): events
        for outcome, events in sorted(counts.items())
        if outcome.startswith(prefix)
    }
