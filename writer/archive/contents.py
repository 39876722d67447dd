"""From ``raw`` to the rows of the file: visits numbered and measured, alike beside alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from shared.archive import COLUMNS, OF_FIRST_EVENT, PLAIN, SPLIT
from shared.beacon import ENGAGEMENT, PAGEVIEW
from writer.archive.engine import Engine, quoted

MAX_GAP_US = 30 * 60 * 1_000_000

_PARQUET = (
    "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 9, PARQUET_VERSION v2, ROW_GROUP_SIZE {}"
)
_GROUP = 491_520
_VECTOR = 2_048

# In the order of (ts, event id), each visitor by itself. A row's number is its place in the table:
# counting rows by a window would hold all of them in memory at once.
_IN_ORDER = """
CREATE OR REPLACE TABLE in_order AS
SELECT *, bot IS NULL AND visitor IS NOT NULL AND name <> $engagement AS counts
FROM raw ORDER BY visitor, ts_us, event_id
"""
_NUMBERED = """
CREATE OR REPLACE TABLE numbered AS
SELECT n, visitor, counts, CASE WHEN NOT bot AND visitor IS NOT NULL AND visits > 0
  THEN visits END AS visit_no
FROM (
  SELECT n, visitor, bot, counts, sum(begins)
    OVER (PARTITION BY visitor ORDER BY n ROWS UNBOUNDED PRECEDING)::INTEGER AS visits
  FROM (
    SELECT n, visitor, bot, counts, CASE
      WHEN NOT counts THEN 0
      WHEN ts_us - lag(ts_us) OVER (PARTITION BY visitor, counts ORDER BY n) <= $gap THEN 0
      ELSE 1 END AS begins
    FROM (SELECT rowid AS n, visitor, ts_us, bot IS NOT NULL AS bot, counts FROM in_order)
  )
)
"""
_VISITS = """
CREATE OR REPLACE TABLE visits AS
SELECT m.visitor, m.visit_no, min(m.n) AS n,
  count(*) FILTER (WHERE o.name = $pageview)::INTEGER AS views,
  count(*)::INTEGER AS events,
  count(*) FILTER (WHERE o.name = $pageview) = 1
    AND count(*) FILTER (WHERE o.interactive AND o.name <> $pageview) = 0 AS bounced,
  (max(o.ts_us) - min(o.ts_us)) // 1000 AS lasted_ms,
  min(m.n) FILTER (WHERE o.name = $pageview) AS entry_n,
  max(m.n) FILTER (WHERE o.name = $pageview) AS exit_n
FROM numbered m JOIN in_order o ON o.rowid = m.n
WHERE m.counts GROUP BY m.visitor, m.visit_no
"""
_ALIKE = (
    "country", "browser", "browser_version", "os", "os_version", "device", "region", "city",
    "language", "screen", "ts_us",
)  # fmt: skip
"""Of a visitor's first row: what visitors are ordered by. First what is filtered by most."""
_VISITORS = f"""
CREATE OR REPLACE TABLE visitors AS
SELECT v.visitor, {", ".join(f"o.{name}" for name in _ALIKE)}
FROM (SELECT visitor, min(rowid) AS n FROM in_order WHERE visitor IS NOT NULL GROUP BY visitor) v
JOIN in_order o ON o.rowid = v.n
"""
_OWN = {
    "ts": "make_timestamptz(o.ts_us)",
    "visitor": "o.visitor",
    **{name: source.replace("id ", "o.event_id::UHUGEINT ") for name, source in SPLIT.items()},
    "late_us": "o.late_us",
    "hour": "o.hour",
    **{name: f'o."{name}"' for name in PLAIN},
    "props_text": "o.props_text",
    "visit_no": "m.visit_no",
    "visit_views": "v.views",
    "visit_events": "v.events",
    "visit_bounced": "v.bounced",
    "visit_lasted_ms": "v.lasted_ms",
}


def _end(which: str, column: str) -> str:
    """Of an entry or exit: null where it is the row's own, empty where there was no pageview."""
    value = f"CASE WHEN v.{which}_n IS NULL THEN '' ELSE {which}.{column} END"
    return f"CASE WHEN v.n IS NOT NULL THEN nullif({value}, o.{column}) END"


_SOURCES = _OWN | {
    f"visit_{which}_{column}": _end(which, column)
    for which in ("entry", "exit")
    for column in ("page", "hostname")
}
assert set(_SOURCES) == set(COLUMNS)
_SELECT = f"""
SELECT {", ".join(f'{_SOURCES[name]} AS "{name}"' for name in COLUMNS)}
FROM in_order o JOIN numbered m ON m.n = o.rowid
LEFT JOIN visits v ON v.n = o.rowid
LEFT JOIN in_order entry ON entry.rowid = v.entry_n
LEFT JOIN in_order exit ON exit.rowid = v.exit_n
LEFT JOIN visitors w ON w.visitor = o.visitor
ORDER BY {", ".join(f"coalesce(w.{name}, o.{name})" for name in _ALIKE)}, o.visitor, o.rowid
"""
_STEADY = f"""
SELECT {", ".join(f'coalesce(bool_and(o."{name}" = f."{name}"), true)' for name in OF_FIRST_EVENT)}
FROM in_order o JOIN numbered m ON m.n = o.rowid
JOIN visits v ON v.visitor = m.visitor AND v.visit_no = m.visit_no
JOIN in_order f ON f.rowid = v.n
"""


class Contents(NamedTuple):
    """``steady``: see `shared.archive.OF_FIRST_EVENT`."""

    rows: int
    steady: list[str]


def write_piece(engine: Engine, file: Path) -> Contents:
    """Whole visitors, from ``raw``."""
    duck = engine.duck
    duck.execute(_IN_ORDER, {"engagement": ENGAGEMENT})
    duck.execute("DROP TABLE raw")
    duck.execute(_NUMBERED, {"gap": MAX_GAP_US})
    duck.execute(_VISITS, {"pageview": PAGEVIEW})
    duck.execute(_VISITORS)
    [found] = duck.execute(_STEADY).fetchall()
    [[rows]] = duck.execute(f"COPY ({_SELECT}) TO {_parquet(file, _GROUP)}").fetchall()
    for table in ("in_order", "numbered", "visits", "visitors"):
        duck.execute(f"DROP TABLE {table}")
    steady = [name for name, is_so in zip(OF_FIRST_EVENT, found, strict=True) if is_so]
    return Contents(int(rows), steady)


def put_together(engine: Engine, pieces: Sequence[tuple[Path, Contents]], made: Path) -> Contents:
    """One file of all, one after the other; not yet known to be on the disk."""
    if len(pieces) == 1:
        [(file, contents)] = pieces
        file.rename(made)
        return contents
    files = ", ".join(quoted(file) for file, _ in pieces)
    # A group is put together in memory, as a piece is.
    group = min(_GROUP, max(contents.rows for _, contents in pieces) // _VECTOR * _VECTOR)
    target = _parquet(made, max(group, _VECTOR))
    engine.duck.execute(f"COPY (FROM read_parquet([{files}])) TO {target}")
    for file, _ in pieces:
        file.unlink()
    steady = [
        name for name in OF_FIRST_EVENT if all(name in contents.steady for _, contents in pieces)
    ]
    return Contents(sum(contents.rows for _, contents in pieces), steady)


def _parquet(file: Path, group: int) -> str:
    return f"{quoted(file)} ({_PARQUET.format(group)})"
