"""Makes the rollups of a site-day anew from its rows, or compares the two.

As of ``rollup_progress.commit_no``, which stays: what comes in meanwhile is the stage's, after.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from psycopg import Connection

from writer.database.locks import Lock, waiting
from writer.rollups.days import Props, SiteDay, put_props, read_declared, read_left_out, read_props
from writer.rollups.dimensions import SUMS
from writer.rollups.put import drop_day, leave_out, load, make, put
from writer.rollups.read import reading_day
from writer.rollups.sums import Left, Sums

_A_PART = 200_000
"""So many events are summed up at once, however many a day has."""

_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
_PROGRESS = "SELECT commit_no FROM rollup_progress"
# Days of which the rows are gone are not made anew: there is nothing to make them from.
_DAYS = """
SELECT site_id, day FROM site_day
WHERE state IN ('open', 'archived') AND site_id = coalesce(%(site_id)s, site_id)
  AND day >= coalesce(%(since)s, day) AND day <= coalesce(%(until)s, day)
UNION
SELECT site_id, day FROM rollup_props p
WHERE site_id = coalesce(%(site_id)s, site_id)
  AND day >= coalesce(%(since)s, day) AND day <= coalesce(%(until)s, day)
  AND NOT EXISTS (SELECT FROM site_day d WHERE d.site_id = p.site_id AND d.day = p.day)
ORDER BY site_id, day
"""
_IS_GONE = """
SELECT FROM site_day WHERE site_id = %s AND day = %s AND state NOT IN ('open', 'archived')
"""
_COUNT = """
SELECT count(*) FROM events
WHERE site_id = %(site_id)s AND day = %(day)s
  AND ts >= %(day)s::date - interval '3 days' AND ts < %(day)s::date + interval '4 days'
"""


_COMPARE = """
SELECT {key}, {sums} FROM (SELECT * FROM {table} WHERE site_id = %s AND day = %s) r
FULL JOIN added_{table} a USING (site_id, day, {key})
WHERE ({rolled_up}) IS DISTINCT FROM ({counted}) ORDER BY {key} LIMIT 1
"""
_TABLES = {"rollup_day": ("dimension", "value"), "rollup_hour": ("dimension", "hour", "value")}


class Difference(NamedTuple):
    """The first row in which rollups and raw events differ; an absent row's sums are all 0."""

    site_id: int
    day: date
    table: str
    key: tuple[object, ...]
    rolled_up: dict[str, int]
    counted: dict[str, int]


def find_days(
    connection: Connection[Any],
    site_id: int | None = None,
    since: date | None = None,
    until: date | None = None,
) -> list[SiteDay]:
    """The site-days that have rows to count."""
    values = {"site_id": site_id, "since": since, "until": until}
    return [SiteDay(*row) for row in connection.execute(_DAYS, values)]


def rebuild(connection: Connection[Any], of: SiteDay, sums: Sums) -> bool:
    """In place; readers see the old rows or the new. False: its rows are gone by now."""
    with waiting(connection, Lock.ROLLUPS), connection.transaction():
        connection.execute(_SNAPSHOT)
        if _is_gone(connection, of):
            return False
        at = _progress(connection)
        props = read_declared(connection, of)
        exploded = _sum_up(connection, props, at, sums, ())
        drop_day(connection, *of)
        put_props(connection, [props])
        put(connection, sums)
        leave_out(connection, exploded)
    sums.clear()
    return True


def verify(connection: Connection[Any], of: SiteDay, sums: Sums) -> Difference | None:
    """Count a site-day anew and compare; None where all is equal."""
    with connection.transaction():
        connection.execute(_SNAPSHOT)
        if _is_gone(connection, of):
            return None
        at = _progress(connection)
        props = read_props(connection, [of])[0]
        left_out = read_left_out(connection, [of])
        _sum_up(connection, props, at, sums, left_out)
        make(connection)
        load(connection, sums)
        found = _compare(connection, of)
    sums.clear()
    return found


def _is_gone(connection: Connection[Any], of: SiteDay) -> bool:
    return connection.execute(_IS_GONE, of).fetchone() is not None


def _progress(connection: Connection[Any]) -> int:
    row = connection.execute(_PROGRESS).fetchone()
    return int(row[0]) if row else 0


def _sum_up(
    connection: Connection[Any], props: Props, at: int, sums: Sums, left_out: Sequence[Left]
) -> list[Left]:
    """By parts of the visitors, so that memory is bounded; returns what has exploded."""
    site_id, day = props.of
    row = connection.execute(_COUNT, {"site_id": site_id, "day": day}).fetchone()
    parts = 1 + (row[0] if row else 0) // _A_PART
    sums.begin(left_out)
    exploded = []
    for part in range(parts):
        with reading_day(connection, props, at, part, parts) as events:
            exploded += sums.add(events)
    return exploded


def _compare(connection: Connection[Any], of: SiteDay) -> Difference | None:
    for table, key in _TABLES.items():
        statement = _COMPARE.format(
            table=table,
            key=", ".join(key),
            sums=", ".join(f"coalesce({side}.{name}, 0)" for side in "ra" for name in SUMS),
            rolled_up=", ".join(f"r.{name}" for name in SUMS),
            counted=", ".join(f"a.{name}" for name in SUMS),
        )
        row = connection.execute(statement.encode(), of).fetchone()
        if row is not None:
            found, numbers = row[: len(key)], row[len(key) :]
            rolled_up = dict(zip(SUMS, numbers[: len(SUMS)], strict=True))
            counted = dict(zip(SUMS, numbers[len(SUMS) :], strict=True))
            return Difference(*of, table, tuple(found), rolled_up, counted)
    return None
