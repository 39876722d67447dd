"""Reads the events of visitor-days out of the database, as CSV that ``Sums`` takes."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier, Literal

from writer.rollups.days import KEPT, SLACK, Changed, Props, bounds
from writer.rollups.sums import COLUMNS

NO_VALUE = "(none)"
"""What an event without a declared prop counts under."""

_COPY = SQL("COPY ({}) TO STDOUT (FORMAT csv)")
_STOOD = SQL("(e.commit_in <= {at} AND (e.commit_out IS NULL OR e.commit_out > {at}))")
_PROPS = SQL("""CASE WHEN declared.keys IS NOT NULL THEN (
  SELECT jsonb_agg(jsonb_build_array(key, coalesce(nullif(e.props ->> key, ''), {none})))
  FROM unnest(declared.keys) AS key) END""").format(none=Literal(NO_VALUE))
_DECLARED = SQL("""(VALUES {}) AS declared (site_id, day, keys)
  ON declared.site_id = e.site_id AND declared.day = e.day""")
_NOTHING_DECLARED = SQL("(SELECT NULL::text[] AS keys) AS declared ON true").format()
_TS = SQL("e.ts AT TIME ZONE 'UTC'")

_OF_VISITORS = SQL("""
WITH changed AS (
  SELECT site_id, day, visitor FROM events
  WHERE commit_in > {after} AND commit_in <= {upto} AND {bounds} AND bot IS NULL
  UNION ALL
  SELECT site_id, day, visitor FROM events
  WHERE commit_out > {after} AND commit_out <= {upto} AND {bounds} AND bot IS NULL
), touched AS MATERIALIZED (
  SELECT site_id, day, array_agg(DISTINCT visitor) AS visitors FROM changed
  WHERE visitor IS NOT NULL GROUP BY site_id, day HAVING {kept}
)
-- A day's visitors together, in one walk through their index, whatever is known of rows just
-- stored: OFFSET keeps this the outer side. Two plain bounds on ts would pass for as selective as
-- the visitors, in a table that was never analyzed, and they be looked for in the whole day.
SELECT {columns} FROM touched t CROSS JOIN LATERAL (
  SELECT * FROM events e
  WHERE e.site_id = t.site_id AND e.visitor = ANY (t.visitors) AND e.day = t.day
    AND e.ts >= {since} AND (e.ts < {until}) IS NOT FALSE AND e.bot IS NULL AND ({was} OR {now})
  OFFSET 0
) e LEFT JOIN {props}
""")
_OF_STRANGERS = SQL("""
WITH changed AS (
  SELECT * FROM events
  WHERE (commit_in > {after} AND commit_in <= {upto}
      OR commit_out > {after} AND commit_out <= {upto})
    AND {bounds} AND visitor IS NULL AND bot IS NULL
), e AS (
  SELECT * FROM changed WHERE {kept}
)
SELECT {columns} FROM e LEFT JOIN {props} WHERE {was} <> {now}
""")
_OF_DAY = SQL("""
SELECT {columns} FROM events e LEFT JOIN {props}
WHERE e.site_id = {site_id} AND e.day = {day} AND e.ts >= {since} AND e.ts < {until}
  AND e.bot IS NULL AND {now} AND abs(coalesce(e.visitor, 0) % {parts}) = {part}
""")


@contextmanager
def reading_changed(
    connection: Connection[Any], changed: Changed, props: Sequence[Props]
) -> Iterator[IO[bytes]]:
    """All events of the visitor-days that changed, as they were and as they are; of events
    without a visitor, those that changed."""
    was, now = _stood(changed.after), _stood(changed.upto)
    values = {
        "columns": _columns(was, now),
        "props": _declared(props),
        "was": was,
        "now": now,
        "after": Literal(changed.after),
        "upto": Literal(changed.upto),
        "kept": KEPT,
        "bounds": bounds(connection, changed.after, changed.upto),
        "since": Literal(changed.first_ts - SLACK),
        "until": Literal(changed.last_ts + SLACK),
    }
    with tempfile.TemporaryFile() as target:
        _copy(connection, _OF_VISITORS.format(**values), target)
        if changed.has_strangers:
            _copy(connection, _OF_STRANGERS.format(**values), target)
        yield target


@contextmanager
def reading_day(
    connection: Connection[Any], props: Props, at: int, part: int = 0, parts: int = 1
) -> Iterator[IO[bytes]]:
    """The events of a site-day as of a commit, those of one part of its visitors."""
    noon = connection.execute("SELECT %s::timestamp + interval '12 h'", (props.of.day,)).fetchone()
    assert noon is not None
    now = _stood(at)
    query = _OF_DAY.format(
        columns=_columns(SQL("false"), now),
        now=now,
        props=_declared([props]),
        site_id=Literal(props.of.site_id),
        day=Literal(props.of.day),
        since=Literal(noon[0] - SLACK),
        until=Literal(noon[0] + SLACK),
        part=Literal(part),
        parts=Literal(parts),
    )
    with tempfile.TemporaryFile() as target:
        _copy(connection, query, target)
        yield target


def _copy(connection: Connection[Any], query: Composed, target: IO[bytes]) -> None:
    with connection.cursor() as cursor, cursor.copy(_COPY.format(query)) as source:
        for block in source:
            target.write(block)
    target.flush()


def _declared(props: Sequence[Props]) -> Composed:
    """What to join ``e`` with for the keys of its day, where there are some."""
    some = [each for each in props if each.keys]
    if not some:
        return _NOTHING_DECLARED
    rows = [
        SQL("({}, {}, {}::text[])").format(*map(Literal, (*each.of, each.keys))) for each in some
    ]
    return _DECLARED.format(SQL(", ").join(rows))


def _stood(at: int) -> Composed:
    return _STOOD.format(at=Literal(at))


def _columns(was: SQL | Composed, now: SQL | Composed) -> Composed:
    known = {"was": was, "now": now, "ts": _TS, "props": _PROPS}
    return SQL(", ").join(
        known.get(name) or SQL("e.{}").format(Identifier(name)) for name in COLUMNS
    )
