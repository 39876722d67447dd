"""What is in no number, and why: robots by rule, what exclusions take out, and what was dropped,
refused or set aside.

Robots are rows, and stand on the day on which they happened, as of the answer's commit. Of what an
edge dropped or refused there are only counts, which stand on the day on which it told them.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.bots_by_rule import Robots, read_robots
from api.days_away import first_day_away
from api.query.answer import snapshot_within
from api.query.archive import Archive
from api.query.plan import ALL_SOURCES
from api.query.ranges import ALL, Days, bad_range, ends, read_range
from api.query.reading import Reading
from api.query.wire import Pagination
from api.sites import Site
from api.taken_out import read_taken_out
from api.zones import midnight
from shared.errors import Code, Refusal
from writer.tables import dropped, events, not_counted, quarantine

BOT, EXCLUSION = "bot", "exclusion"
DROPPED, REFUSED, QUARANTINED = "dropped", "refused", "quarantined"
KIND, REASON, DAY = "kind", "reason", "time:day"
DIMENSIONS = (KIND, REASON, DAY)

MAX_LIMIT = 10_000
_QUARTER = timedelta(minutes=15)
_DAY = timedelta(days=1)


class NotCountedQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``date_range``: a name, or two dates. ``dimensions``: kind, reason, time:day."""

    site_id: str
    date_range: str | list[str]
    dimensions: list[str] = msgspec.field(default_factory=lambda: [KIND, REASON])
    pagination: Pagination = Pagination()


class NotCountedRow(msgspec.Struct, frozen=True):
    """``metrics``: events. Values in the order that was asked for."""

    metrics: list[int]
    dimensions: list[str]


class NotCountedMeta(msgspec.Struct, frozen=True):
    """``as_of``: the commit that robots were counted as of. ``total_rows``: without pagination.
    ``missing_days``: of which no robot and nothing that was taken out is known any more."""

    as_of: int
    total_rows: int
    missing_days: list[str] | msgspec.UnsetType = msgspec.UNSET


class NotCountedAsked(msgspec.Struct, frozen=True):
    """The question as it was understood."""

    site_id: str
    metrics: list[str]
    date_range: list[str]
    dimensions: list[str]
    pagination: Pagination


class NotCounted(msgspec.Struct, frozen=True):
    """The most first. ``kind``: bot, exclusion, dropped, refused or quarantined. ``reason``: the
    rule that matched, the exclusion's name, why it was dropped or set aside, the code that it was
    refused with."""

    results: list[NotCountedRow]
    meta: NotCountedMeta
    query: NotCountedAsked


_Key = tuple[str, str, date]
_Counts = Counter[_Key]


async def read_not_counted(
    db: AsyncConnection,
    found: Site,
    asked: NotCountedQuestion,
    now: datetime,
    timeout_s: float,
    archive: Archive | None,
) -> NotCounted:
    """``db``: without a transaction. Raises Refusal, also when the time limit passes."""
    _check(asked)
    async with snapshot_within(db, timeout_s, archive, ALL_SOURCES) as snapshot:
        return await _read(Reading(snapshot, found.site_id), found, asked, now)


async def _read(
    reading: Reading, found: Site, asked: NotCountedQuestion, now: datetime
) -> NotCounted:
    db = reading.snapshot.db
    days = await _read_days(db, found, asked, now)
    robots = await read_robots(reading, days)
    counts = _named(BOT, robots.counts)
    counts += _named(EXCLUSION, await read_taken_out(reading, found, days, now))
    counts += await _read_counted(db, found.site_id, days)
    counts += await _read_quarantined(db, found, days)
    rows = _grouped(counts, asked.dimensions)
    page = asked.pagination
    return NotCounted(
        rows[page.offset : page.offset + page.limit],
        _meta(reading, robots, len(rows)),
        NotCountedAsked(found.key, ["events"], ends(days, found.zone), asked.dimensions, page),
    )


def _check(asked: NotCountedQuestion) -> None:
    for index, name in enumerate(asked.dimensions):
        if name not in DIMENSIONS or name in asked.dimensions[:index]:
            raise _bad(
                f"dimensions[{index}]",
                f"{name[:40]!r} is none of {', '.join(DIMENSIONS)}, or stands here twice",
            )
    page = asked.pagination
    if not 1 <= page.limit <= MAX_LIMIT:
        raise _bad("pagination.limit", f"`limit` is outside 1 to {MAX_LIMIT}")
    if page.offset < 0:
        raise _bad("pagination.offset", "`offset` is below 0")


async def _read_days(
    db: AsyncConnection, found: Site, asked: NotCountedQuestion, now: datetime
) -> Days:
    first = await _read_first_day(db, found) if asked.date_range == ALL else None
    days = read_range(asked.date_range, found.zone, now, first)
    if not isinstance(days, Days):
        raise bad_range("this is known by day alone: write both ends as 2024-01-31")
    return days


async def _read_first_day(db: AsyncConnection, found: Site) -> date | None:
    """The first day of which anything is known."""
    site_id = found.site_id
    first_row = select(events.c.day).where(events.c.site_id == site_id).order_by(events.c.ts)
    firsts = [
        await db.scalar(first_row.limit(1)),
        await first_day_away(db, site_id),
        await db.scalar(select(func.min(dropped.c.day)).where(dropped.c.site_id == site_id)),
        await db.scalar(
            select(func.min(not_counted.c.day)).where(not_counted.c.site_id == site_id)
        ),
    ]
    set_aside = await db.scalar(
        select(func.min(quarantine.c.received_at)).where(quarantine.c.site == found.key)
    )
    if set_aside is not None:
        firsts.append(set_aside.astimezone(found.zone).date())
    return min((first for first in firsts if first is not None), default=None)


async def _read_counted(db: AsyncConnection, site_id: int, days: Days) -> _Counts:
    """By edges, and by the writer, which drops for the same reasons when an edge could not."""
    column = not_counted.c
    statement = select(column.reason, column.day, column.events).where(
        column.site_id == site_id, column.day.between(days.first, days.last)
    )
    counts = _Counts()
    for outcome, day, many in await db.execute(statement):
        kind, _, reason = outcome.partition(":")
        counts[kind, reason, day] += many
    own = dropped.c
    statement = select(own.reason, own.day, own.events).where(
        own.site_id == site_id, own.day.between(days.first, days.last)
    )
    for reason, day, many in await db.execute(statement):
        counts[DROPPED, reason, day] += many
    return counts


async def _read_quarantined(db: AsyncConnection, found: Site, days: Days) -> _Counts:
    """As far as it is still held."""
    column = quarantine.c
    # No zone's day begins within a quarter of an hour.
    quarter = func.date_bin(_QUARTER, column.received_at, datetime(1970, 1, 1, tzinfo=UTC))
    statement = (
        select(column.reason, quarter, func.count())
        .where(
            column.site == found.key,
            column.state == "held",
            column.received_at >= midnight(found.zone, days.first),
            column.received_at < midnight(found.zone, days.last + _DAY),
        )
        .group_by(column.reason, quarter)
    )
    counts = _Counts()
    for reason, began, many in await db.execute(statement):
        counts[QUARANTINED, reason, _day(began, found.zone)] += many
    return counts


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _named(kind: str, counts: Counter[tuple[str, date]]) -> _Counts:
    return Counter({(kind, reason, day): many for (reason, day), many in counts.items()})


def _meta(reading: Reading, robots: Robots, rows: int) -> NotCountedMeta:
    meta = NotCountedMeta(reading.snapshot.as_of.commit, rows)
    missing = {*reading.missing_days, *(day.isoformat() for day in robots.missing_days)}
    return msgspec.structs.replace(meta, missing_days=sorted(missing)) if missing else meta


def _grouped(counts: _Counts, dimensions: Sequence[str]) -> list[NotCountedRow]:
    grouped: Counter[tuple[str, ...]] = Counter()
    for (kind, reason, day), many in counts.items():
        values = {KIND: kind, REASON: reason, DAY: day.isoformat()}
        grouped[tuple(values[name] for name in dimensions)] += many
    if not dimensions:
        return [NotCountedRow([grouped.total()], [])]
    in_order = sorted(grouped.items(), key=lambda row: (-row[1], row[0]))
    return [NotCountedRow([many], list(values)) for values, many in in_order]


def _bad(field: str, message: str) -> Refusal:
    return Refusal(Code.BAD_QUERY, message, field=field)
