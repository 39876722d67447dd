"""Robots by rule and day: in rows, and of days whose rows are away in the archive's files."""

from collections import Counter
from datetime import UTC, date, datetime, time

import msgspec
from sqlalchemy import func, select

from api.query.archive import Unreadable
from api.query.ranges import Days
from api.query.reading import Reading
from api.query.scope import SLACK, visible
from api.query.site_days import read_site_days
from writer.tables import events


class Robots(msgspec.Struct, frozen=True):
    """``counts`` by rule and the site's own day. ``missing_days``: of which rows and file are
    gone."""

    counts: Counter[tuple[str, date]]
    missing_days: frozenset[date]


async def read_robots(reading: Reading, days: Days) -> Robots:
    """As of the snapshot's commit. Raises TookTooLong."""
    found = await read_site_days(reading.snapshot.db, reading.site_id, days)
    counts = await _in_rows(reading, days, found.without_rows | found.forgotten)
    if not found.without_rows:
        return Robots(counts, found.forgotten)
    filed = await _in_files(reading, days, found.without_rows)
    missing = found.forgotten | found.without_rows - filed.keys()
    return Robots(counts + sum(filed.values(), Counter()), missing)


async def _in_rows(
    reading: Reading, days: Days, away: frozenset[date]
) -> Counter[tuple[str, date]]:
    """Of days whose rows are not on their way."""
    column = events.c
    statement = (
        select(column.bot, column.day, func.count())
        .where(
            column.site_id == reading.site_id,
            column.day.between(days.first, days.last),
            # Only to spare chunks.
            column.ts >= datetime.combine(days.first, time.min, UTC) - SLACK,
            column.ts < datetime.combine(days.last, time.max, UTC) + SLACK,
            visible(reading.snapshot.as_of.commit),
            column.bot.is_not(None),
        )
        .group_by(column.bot, column.day)
    )
    rows = await reading.snapshot.db.execute(statement)
    return Counter({(rule, day): many for rule, day, many in rows if day not in away})


async def _in_files(
    reading: Reading, days: Days, away: frozenset[date]
) -> dict[date, Counter[tuple[str, date]]]:
    """Of each day that a sound file holds."""
    snapshot = reading.snapshot
    if snapshot.archive is None:
        return {}
    current = await snapshot.archive.current(snapshot.db, reading.site_id, days)
    files = {day: file for day, file in current.files.items() if day in away}
    try:
        rows = await snapshot.archive.count_bots(list(files.values()), snapshot.left_s)
    except Unreadable:
        return {}
    filed: dict[date, Counter[tuple[str, date]]] = {day: Counter() for day in files}
    for rule, day, many in rows:
        filed[day][rule, day] += many
    return filed
