"""A site-day's rows as of a commit, streamed from PostgreSQL into DuckDB's table ``raw``.

By way of CSV in pieces: neither of the two holds more than a piece, however large the day.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from shared.archive import PLAIN
from writer.archive.engine import Engine

Report = Callable[[int], None]
"""Called with the bytes read so far."""

# An instant between two days with no number left belongs to the earlier one, outside its bounds.
_SLACK = timedelta(days=3)
_PIECE_BYTES = 32 * 1024 * 1024
_US = "(extract(epoch from {}) * 1000000)::bigint"
_READ = {
    "ts_us": ("BIGINT", _US.format("ts")),
    "late_us": ("BIGINT", _US.format("received_at - ts")),
    "event_id": ("UUID", "event_id"),
    "visitor": ("BIGINT", "visitor"),
    "hour": ("TINYINT", "hour"),
    **{name: (kind, f'"{name}"') for name, kind in PLAIN.items()},
}
"""Column of ``raw`` → its type there, and where it comes from."""

_WHOLE_DAY: LiteralString = (
    "site_id = %(site_id)s AND ts >= %(since)s AND ts < %(until)s AND day = %(day)s"
)
_THERE: LiteralString = (
    " AND commit_in <= %(commit)s AND (commit_out IS NULL OR commit_out > %(commit)s)"
)
_COPY = (
    f"COPY (SELECT {', '.join(source for _, source in _READ.values())}"
    f" FROM events WHERE {_WHOLE_DAY}{_THERE})"
    " TO STDOUT (FORMAT csv, FORCE_QUOTE *)"
)
_TOUCHED_SINCE = f"""
SELECT EXISTS (SELECT FROM events WHERE commit_in > %(commit)s AND {_WHOLE_DAY})
  OR EXISTS (SELECT FROM events WHERE commit_out > %(commit)s AND {_WHOLE_DAY})
"""


class Wanted(NamedTuple):
    """A site-day as of a commit."""

    site_id: int
    day: date
    starts_at: datetime
    ends_at: datetime
    commit: int

    def values(self) -> dict[str, object]:
        """What the statements ask for."""
        return {
            "site_id": self.site_id,
            "day": self.day,
            "since": self.starts_at - _SLACK,
            "until": self.ends_at + _SLACK,
            "commit": self.commit,
        }


def is_touched_since(connection: Connection[Any], wanted: Wanted) -> bool:
    """Whether a commit after the wanted one has changed the day."""
    row = connection.execute(_TOUCHED_SINCE, wanted.values()).fetchone()
    return row is None or bool(row[0])


def read_rows(
    connection: Connection[Any], engine: Engine, wanted: Wanted, report: Report = lambda _: None
) -> None:
    """Fill ``raw`` anew, in the transaction that is open."""
    columns = ", ".join(f'"{name}" {kind}' for name, (kind, _) in _READ.items())
    engine.duck.execute(f"CREATE OR REPLACE TABLE raw ({columns})")
    piece = engine.scratch / "piece.csv"
    read, size = 0, 0
    with (
        connection.cursor() as cursor,
        cursor.copy(_COPY, wanted.values()) as copy,
    ):
        file = piece.open("wb")
        try:
            for block in copy:
                size += file.write(block)
                if size >= _PIECE_BYTES:
                    file.close()
                    _take_in(engine)
                    read, size = read + size, 0
                    report(read)
                    file = piece.open("wb")
        finally:
            file.close()
    if size:
        _take_in(engine)
    piece.unlink()
    report(read + size)


def _take_in(engine: Engine) -> None:
    columns = ", ".join(f"'{name}': '{kind}'" for name, (kind, _) in _READ.items())
    engine.duck.execute(
        f"INSERT INTO raw SELECT * FROM read_csv({engine.quoted('piece.csv')},"
        f" columns = {{{columns}}}, auto_detect = false, header = false, delim = ',',"
        " quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false,"
        " new_line = '\\n', parallel = false, max_line_size = 67108864)"
    )
