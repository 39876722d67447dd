"""Adds what changed to the rollups in the database, within the caller's transaction."""

import tempfile
from collections.abc import Callable, Sequence
from typing import IO, Any

from psycopg import Connection

from writer.rollups.dimensions import SUMS
from writer.rollups.sums import Left, Sums

_BLOCK = 1 << 18
_DAY_KEY = "site_id, dimension, day, digest"
_HOUR_KEY = "site_id, dimension, day, hour, digest"


class _Table:
    """The statements of one table of rollups; the added rows go through one of the session."""

    def __init__(self, name: str, key: str) -> None:
        columns = f"{key}, value, {', '.join(SUMS)}"
        more = ", ".join(f"{total} = r.{total} + excluded.{total}" for total in SUMS)
        same = " AND ".join(f"r.{column} = a.{column}" for column in key.split(", "))
        nothing = " AND ".join(f"r.{total} = 0" for total in SUMS)
        self.make = (
            f"CREATE TEMP TABLE IF NOT EXISTS added_{name} (LIKE {name}) ON COMMIT DELETE ROWS"
        )
        self.copy = f"COPY added_{name} ({columns}) FROM STDIN (FORMAT csv)"
        self.add = (
            f"INSERT INTO {name} AS r ({columns}) SELECT {columns} FROM added_{name}"
            f" ON CONFLICT ({key}) DO UPDATE SET {more}"
        )
        self.sweep = f"DELETE FROM {name} r USING added_{name} a WHERE {same} AND {nothing}"
        self.drop_left_out = (
            f"DELETE FROM {name} USING unnest(%s::int[], %s::date[], %s::text[])"
            " AS o (site, on_day, of) WHERE site_id = site AND day = on_day AND dimension = of"
        )
        self.drop_day = f"DELETE FROM {name} WHERE site_id = %s AND day = %s"


_DAYS = _Table("rollup_day", _DAY_KEY)
_HOURS = _Table("rollup_hour", _HOUR_KEY)
TABLES = (_DAYS, _HOURS)

# A dimension has no more values on a day than there are events and engagements of it, so that
# they are counted on the days of busy sites only.
_COUNT_VALUES = """
SELECT d.site_id, d.day, d.dimension, CASE WHEN whole.most <= %(most)s THEN whole.most ELSE (
  SELECT count(*) FROM (
    SELECT FROM rollup_day r
    WHERE r.site_id = d.site_id AND r.dimension = d.dimension AND r.day = d.day
    LIMIT %(most)s + 1
  ) AS found) END
FROM unnest(%(sites)s::int[], %(days)s::date[], %(of)s::text[]) AS d (site_id, day, dimension)
JOIN (
  SELECT site_id, day, events + engaged_visits + scroll_visits AS most
  FROM rollup_day WHERE dimension = ''
) AS whole USING (site_id, day)
"""
_PUT_LEFT_OUT = """
INSERT INTO rollup_left_out (site_id, day, dimension)
SELECT * FROM unnest(%s::int[], %s::date[], %s::text[]) ON CONFLICT DO NOTHING
"""


def put(connection: Connection[Any], sums: Sums) -> None:
    """Add all that was summed up."""
    make(connection)
    load(connection, sums)
    has_less = sums.has_less()
    for table in TABLES:
        connection.execute(table.add)
        if has_less:
            connection.execute(table.sweep)
    leave_out(connection, _find_exploded(connection, sums))


def _find_exploded(connection: Connection[Any], sums: Sums) -> list[Left]:
    """Dimensions that have too many values by what was added now and before."""
    due = sums.room.take(sums.values)
    if not due:
        return []
    sites, days, of = map(list, zip(*due, strict=True))
    given = {"sites": sites, "days": days, "of": of, "most": sums.max_values}
    found = {Left(*key): values for *key, values in connection.execute(_COUNT_VALUES, given)}
    for left, values in found.items():
        sums.room.put(left, sums.max_values - values)
    return [left for left, values in found.items() if values > sums.max_values]


def make(connection: Connection[Any]) -> None:
    """The session's own tables."""
    for table in TABLES:
        connection.execute(table.make)


def load(connection: Connection[Any], sums: Sums) -> None:
    """All that was summed up, into the session's own tables."""
    _copy(connection, _DAYS.copy, sums.write_days)
    _copy(connection, _HOURS.copy, sums.write_hours)


def leave_out(connection: Connection[Any], left: Sequence[Left]) -> None:
    """Take dimensions that have exploded off the rollups of their days, until a rebuild."""
    if not left:
        return
    columns = tuple(map(list, zip(*left, strict=True)))
    for table in TABLES:
        connection.execute(table.drop_left_out, columns)
    connection.execute(_PUT_LEFT_OUT, columns)


def drop_day(connection: Connection[Any], site_id: int, day: object) -> None:
    """Drop all rollups of a site-day: sums, props and what was left out of it."""
    for table in ("rollup_day", "rollup_hour", "rollup_left_out", "rollup_props"):
        statement = f"DELETE FROM {table} WHERE site_id = %s AND day = %s"
        connection.execute(statement.encode(), (site_id, day))


def _copy(connection: Connection[Any], statement: str, write: Callable[[IO[bytes]], None]) -> None:
    with tempfile.TemporaryFile() as rows:
        write(rows)
        with connection.cursor() as cursor, cursor.copy(statement.encode()) as target:
            while block := rows.read(_BLOCK):
                target.write(block)
