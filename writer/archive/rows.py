"""A site-day's rows as of a commit, streamed from PostgreSQL into DuckDB's table ``raw``.

By way of CSV, in pieces of whole visitors: neither holds more than a piece, however large the day.
Sorting is PostgreSQL's, which needs little memory for it.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from shared.archive import PLAIN
from writer.archive.engine import Engine

Report = Callable[[int], None]
"""Called with the bytes read so far."""

# An instant between two days with no number left belongs to the earlier one, outside its bounds.
_SLACK = timedelta(days=3)
# Of the memory, the part that a piece may have as CSV.
PIECE_OF_MEMORY = 1 / 6
PIECE = "piece.csv"
_US = "(extract(epoch from {}) * 1000000)::bigint"
_READ = {
    # First, so that a line tells whose it is.
    "visitor": ("BIGINT", "visitor"),
    "ts_us": ("BIGINT", _US.format("ts")),
    "late_us": ("BIGINT", _US.format("received_at - ts")),
    "event_id": ("UUID", "event_id"),
    "hour": ("TINYINT", "hour"),
    **{name: (kind, f'"{name}"') for name, kind in PLAIN.items()},
    "props_text": (
        "VARCHAR",
        """CASE WHEN jsonb_path_exists(props, '$.* ? (@.type() == "number")') THEN"""
        " (SELECT jsonb_object_agg(key, value)::text FROM jsonb_each_text(props)) END",
    ),
}
"""Column of ``raw`` → its type there, and where it comes from."""
RAW = {name: kind for name, (kind, _) in _READ.items()}

_WHOLE_DAY: LiteralString = (
    "site_id = %(site_id)s AND ts >= %(since)s AND ts < %(until)s AND day = %(day)s"
)
_THERE: LiteralString = (
    " AND commit_in <= %(commit)s AND (commit_out IS NULL OR commit_out > %(commit)s)"
)
_COPY = (
    f"COPY (SELECT {', '.join(source for _, source in _READ.values())}"
    f" FROM events WHERE {_WHOLE_DAY}{_THERE} ORDER BY visitor)"
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


def read_pieces(
    connection: Connection[Any], engine: Engine, wanted: Wanted, report: Report = lambda _: None
) -> Iterator[None]:
    """In the transaction that is open; each time, ``raw`` holds the next piece. One at least,
    which is empty where there are no rows."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in RAW.items())
    make = f"CREATE OR REPLACE TABLE raw ({columns})"
    read = 0
    engine.duck.execute(make)
    with connection.cursor() as cursor, cursor.copy(_COPY, wanted.values()) as copy:
        for size in _write_pieces(copy, engine):
            if read:
                engine.duck.execute(make)
            if size:
                _take_in(engine)
            yield
            read += size
            report(read)


def _write_pieces(lines: Iterable[Any], engine: Engine) -> Iterator[int]:
    """Each piece as a file, one after the other; its bytes."""
    most = engine.memory_mb * 1024 * 1024 * PIECE_OF_MEMORY
    size, last = 0, b""
    file = (engine.scratch / PIECE).open("wb")
    try:
        for line in lines:
            if size >= most:
                visitor = bytes(line).partition(b",")[0]
                if not visitor or (last and visitor != last):
                    file.close()
                    yield size
                    size, last = 0, b""
                    file = (engine.scratch / PIECE).open("wb")
                else:
                    last = visitor
            size += file.write(line)
        file.close()
        yield size
    finally:
        file.close()


def _take_in(engine: Engine) -> None:
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in RAW.items())
    engine.duck.execute(
        f"INSERT INTO raw SELECT * FROM read_csv({engine.quoted(PIECE)},"
        f" columns = {{{columns}}}, auto_detect = false, header = false, delim = ',',"
        " quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false,"
        " new_line = '\\n', parallel = false, max_line_size = 67108864)"
    )
