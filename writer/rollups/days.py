"""Site-days: which of them changed between two commits, and what is rolled up of each."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.sql import SQL, Composable, Literal

from writer.rollups.sums import Left

SLACK = timedelta(days=3)
"""Longer than any site-local day, with its offset from UTC and a change of zone within it."""


class SiteDay(NamedTuple):
    """One local day of one site."""

    site_id: int
    day: date


class Changed(NamedTuple):
    """What changed after commit ``after``, up to commit ``upto``, and when it happened.

    ``has_strangers``: some of it has no visitor.
    """

    after: int
    upto: int
    days: Sequence[SiteDay]
    first_ts: datetime
    last_ts: datetime
    has_strangers: bool


KEPT = SQL("""NOT EXISTS (
  SELECT FROM site_day d
  WHERE d.site_id = changed.site_id AND d.day = changed.day AND d.state = 'forgotten')""")
"""Of a row or group ``changed``: rows of a day that is forgotten are on their way out, and nothing
of it is to be rolled up any more."""
_RANGE = """
SELECT min(first_ts), max(last_ts), bool_or(events > 0 AND first_ts IS NULL)
FROM commits WHERE commit_no > %s AND commit_no <= %s
"""
_DAYS = SQL("""
SELECT site_id, day, min(ts), max(ts), bool_or(visitor IS NULL) FROM (
  SELECT site_id, day, ts, visitor FROM events
  WHERE commit_in > {after} AND commit_in <= {upto} AND {bounds}
  UNION ALL
  SELECT site_id, day, ts, visitor FROM events
  WHERE commit_out > {after} AND commit_out <= {upto} AND {bounds}
) changed GROUP BY site_id, day HAVING {kept} ORDER BY site_id, day
""")
_TOUCH = """
UPDATE site_day SET touched = %s FROM unnest(%s::int[], %s::date[]) AS t (site_id, day)
WHERE site_day.site_id = t.site_id AND site_day.day = t.day
"""
_DECLARED = """coalesce((
  SELECT array(SELECT DISTINCT jsonb_array_elements_text(value) ORDER BY 1) FROM (
    SELECT value FROM site_setting s
    WHERE s.site_id = t.site_id AND name = 'props' AND valid_from <= clock_timestamp()
    ORDER BY valid_from DESC LIMIT 1
  ) latest WHERE jsonb_typeof(value) = 'array'
), '{}')"""
_PROPS = f"""
SELECT t.site_id, t.day, r.keys IS NULL, coalesce(r.keys, {_DECLARED})
FROM unnest(%s::int[], %s::date[]) AS t (site_id, day)
LEFT JOIN rollup_props r USING (site_id, day)
"""
_DECLARED_NOW = f"SELECT {_DECLARED} FROM (SELECT %s::int AS site_id) AS t"
_PUT_PROPS = """
INSERT INTO rollup_props (site_id, day, keys) VALUES (%s, %s, %s)
ON CONFLICT (site_id, day) DO UPDATE SET keys = excluded.keys
"""
_LEFT_OUT = """
SELECT site_id, day, dimension FROM rollup_left_out
JOIN unnest(%s::int[], %s::date[]) AS t (site_id, day) USING (site_id, day)
"""


def find_changed(connection: Connection[Any], after: int, upto: int) -> Changed | None:
    """None where no row came or went; robots and engagement are rows too."""
    found = connection.execute(
        _DAYS.format(
            after=Literal(after),
            upto=Literal(upto),
            bounds=bounds(connection, after, upto),
            kept=KEPT,
        )
    ).fetchall()
    if not found:
        return None
    return Changed(
        after,
        upto,
        [SiteDay(site_id, day) for site_id, day, *_ in found],
        min(first for *_, first, _, _ in found),
        max(last for *_, last, _ in found),
        any(strangers for *_, strangers in found),
    )


def bounds(connection: Connection[Any], after: int, upto: int) -> Composable:
    """On ``ts``, to spare chunks: what the commits say of themselves, where all do that stored
    something. Most of those that stored nothing are repeated batches."""
    first, last, unknown = connection.execute(_RANGE, (after, upto)).fetchone() or (None,) * 3
    if unknown:
        return SQL("true")
    if first is None:
        return SQL("false")
    return SQL("ts >= {} AND ts <= {}").format(Literal(first), Literal(last))


def touch(connection: Connection[Any], days: Sequence[SiteDay], commit_no: int) -> None:
    """Write down that rows of these days changed up to a commit."""
    connection.execute(_TOUCH, (commit_no, *arrays(days)))


class Props(NamedTuple):
    """Which declared props are rolled up of a day. It stands as of the day's first event, so that
    what is taken off later is what was put on; a rebuild takes what is declared then."""

    of: SiteDay
    is_new: bool
    keys: list[str]


def read_props(connection: Connection[Any], days: Sequence[SiteDay]) -> list[Props]:
    """Of each of these days."""
    found = connection.execute(_PROPS, arrays(days)).fetchall()
    return [Props(SiteDay(site_id, day), is_new, keys) for site_id, day, is_new, keys in found]


def read_declared(connection: Connection[Any], of: SiteDay) -> Props:
    """What the site declares now, whatever was rolled up before."""
    row = connection.execute(_DECLARED_NOW, (of.site_id,)).fetchone()
    return Props(of, True, row[0] if row else [])


def put_props(connection: Connection[Any], props: Sequence[Props]) -> None:
    """Write down those that are new."""
    new = [(*each.of, each.keys) for each in props if each.is_new]
    if new:
        with connection.cursor() as cursor:
            cursor.executemany(_PUT_PROPS, new)


def read_left_out(connection: Connection[Any], days: Sequence[SiteDay]) -> list[Left]:
    """What is not rolled up of these days."""
    return [Left(*row) for row in connection.execute(_LEFT_OUT, arrays(days))]


def arrays(days: Iterable[SiteDay]) -> tuple[list[int], list[date]]:
    """As two parameters for ``unnest``."""
    days = list(days)
    return [d.site_id for d in days], [d.day for d in days]
