"""What is in no number, and why: robots by rule, what exclusions take out, and what was dropped,
refused or set aside.

Robots are rows, and stand on the day on which they happened, as of the answer's commit. Of what an
edge dropped or refused there are only counts, which stand on the day on which it told them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
import psycopg
from sqlalchemy import func, literal, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.days_away import first_day_away
from api.query.plan import ALL_SOURCES
from api.query.ranges import ALL, Days, bad_range, ends, read_range
from api.query.reading import Reading, open_snapshot
from api.query.scope import SLACK, visible
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
    """``as_of``: the commit that robots were counted as of. ``total_rows``: without pagination."""

    as_of: int
    total_rows: int


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
    db: AsyncConnection, found: Site, asked: NotCountedQuestion, now: datetime, timeout_s: float
) -> NotCounted:
    """Raises Refusal, also when the time limit passes."""
    _check(asked)
    try:
        reading = Reading(await open_snapshot(db, timeout_s, ALL_SOURCES), found.site_id)
        return await _read(reading, found, asked, now)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.QueryCanceled):
            raise _timed_out(timeout_s) from None
        raise


async def _read(
    reading: Reading, found: Site, asked: NotCountedQuestion, now: datetime
) -> NotCounted:
    db, commit = reading.snapshot.db, reading.snapshot.as_of.commit
    days = await _read_days(db, found, asked, now)
    counts = await _read_bots(db, found.site_id, days, commit)
    counts += await _read_counted(db, found.site_id, days)
    counts += await _read_quarantined(db, found, days)
    for (name, day), many in (await read_taken_out(reading, found, days, now)).items():
        counts[EXCLUSION, name, day] += many
    rows = _grouped(counts, asked.dimensions)
    page = asked.pagination
    return NotCounted(
        rows[page.offset : page.offset + page.limit],
        NotCountedMeta(commit, len(rows)),
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


async def _read_bots(db: AsyncConnection, site_id: int, days: Days, commit: int) -> _Counts:
    column = events.c
    statement = (
        select(literal(BOT), column.bot, column.day, func.count())
        .where(
            column.site_id == site_id,
            column.day.between(days.first, days.last),
            # Only to spare chunks.
            column.ts >= datetime.combine(days.first, time.min, UTC) - SLACK,
            column.ts < datetime.combine(days.last, time.max, UTC) + SLACK,
            visible(commit),
            column.bot.is_not(None),
        )
        .group_by(column.bot, column.day)
    )
    return _counts(await db.execute(statement))


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


def _counts(rows: Iterable[Sequence[object]]) -> _Counts:
    counts = _Counts()
    for kind, reason, day, many in rows:
        assert isinstance(day, date)
        assert isinstance(many, int)
        counts[str(kind), str(reason), day] += many
    return counts


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


def _timed_out(timeout_s: float) -> Refusal:
    return Refusal(
        Code.QUERY_TIMEOUT,
        f"the answer took over {timeout_s:g} s and was given up: ask for a shorter range",
    )
