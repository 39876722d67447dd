"""What a set of visitor-days adds to the rollups: the sums of its events as they are now, less the
sums of its events as they were. DuckDB counts, in this process and in few threads.

Visits are put together as the API does it from rows: a visitor's events of one site-day in the
order of (ts, event id), with no gap over 30 minutes; engagement joins the visit before it.
"""

import tempfile
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import IO, NamedTuple

import duckdb

from shared.beacon import ENGAGEMENT, PAGEVIEW
from writer.rollups.dimensions import (
    ENTRY_PAGE,
    EXIT_PAGE,
    HOSTNAME,
    MAX_VALUES,
    NAME,
    OF_FIRST_EVENT,
    OF_VISIT,
    PAGE,
    PROPS,
    SUMS,
    TOTAL,
)
from writer.rollups.room import Room

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": "768MB",
    # Made when something does not fit into memory.
    "temp_directory": str(Path(tempfile.gettempdir()) / "millrace-rollups"),
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_MAX_GAP_US = 30 * 60 * 1_000_000
_LONGEST_LINE = 16 * 1024 * 1024

_TYPES = {
    "was": "BOOLEAN",
    "now": "BOOLEAN",
    "site_id": "INTEGER",
    "day": "DATE",
    "hour": "SMALLINT",
    "visitor": "BIGINT",
    "ts": "TIMESTAMP",
    "event_id": "VARCHAR",
    "name": "VARCHAR",
    "interactive": "BOOLEAN",
    "hostname": "VARCHAR",
    "page": "VARCHAR",
    **dict.fromkeys(OF_FIRST_EVENT, "VARCHAR"),
    "engaged_ms": "BIGINT",
    "scroll_pct": "BIGINT",
    "props": "VARCHAR",
}
COLUMNS = tuple(_TYPES)
"""Of an event as it is read: ``was`` and ``now``, whether it stood before and stands after;
``ts`` in UTC without a zone; ``props`` a JSON list of [key, value], or null."""

_MAKE_EVENT = f"""
CREATE OR REPLACE TEMP TABLE event AS
SELECT row_number() OVER () AS id, *
FROM read_csv(?, columns = {_TYPES!r}, header = false, auto_detect = false, delim = ',',
  quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, parallel = false,
  max_line_size = {_LONGEST_LINE})
"""
_NARROW = (
    "id, site_id, day, hour, visitor, ts, event_id, name, interactive, hostname, page,"
    " engaged_ms, scroll_pct, props"
)
_MAKE_NUMBERED = f"""
CREATE OR REPLACE TEMP TABLE numbered AS
WITH standing AS (
  SELECT 1::BIGINT AS sign, {_NARROW} FROM event WHERE now
  UNION ALL SELECT -1, {_NARROW} FROM event WHERE was
), ordered AS (
  SELECT * EXCLUDE (ts, event_id), epoch_us(ts) AS us, row_number() OVER seen AS nth,
    name = '{ENGAGEMENT}' AS quiet, name = '{PAGEVIEW}' AS is_view,
    max(epoch_us(ts)) FILTER (name <> '{ENGAGEMENT}')
      OVER (seen ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS us_before
  FROM standing WHERE visitor IS NOT NULL
  WINDOW seen AS (PARTITION BY sign, site_id, day, visitor ORDER BY ts, event_id)
), marked AS (
  SELECT * EXCLUDE (us_before),
    NOT quiet AND (us_before IS NULL OR us - us_before > {_MAX_GAP_US}) AS begins
  FROM ordered
)
SELECT *, sum(begins::INTEGER) OVER (
    PARTITION BY sign, site_id, day, visitor ORDER BY nth ROWS UNBOUNDED PRECEDING
  )::INTEGER AS visit_no
FROM marked
UNION ALL BY NAME
SELECT * EXCLUDE (ts, event_id), name = '{ENGAGEMENT}' AS quiet, name = '{PAGEVIEW}' AS is_view
FROM standing WHERE visitor IS NULL
"""
_MAKE_VISIT = f"""
CREATE OR REPLACE TEMP TABLE visit AS
SELECT measured.*, {", ".join(f"event.{name}" for name in OF_FIRST_EVENT)}
FROM (
  SELECT sign, site_id, day, visitor, visit_no, count(*) AS events,
    count(*) OVER (PARTITION BY sign, site_id, day, visitor) = 1 AS is_only,
    count(*) FILTER (is_view) AS views,
    (count(*) FILTER (is_view) = 1
      AND count(*) FILTER (interactive AND NOT is_view) = 0)::BIGINT AS bounced,
    (max(us) - min(us)) // 1000 AS lasted_ms,
    max(id) FILTER (begins) AS first_id,
    coalesce(arg_min(page, nth) FILTER (is_view), '') AS {ENTRY_PAGE},
    coalesce(arg_max(page, nth) FILTER (is_view), '') AS {EXIT_PAGE}
  FROM numbered WHERE NOT quiet AND visitor IS NOT NULL
  GROUP BY sign, site_id, day, visitor, visit_no
) measured JOIN event ON event.id = first_id
"""

_WHOLE_DAY = "-1::SMALLINT"
"""In place of an hour, for ``rollup_day``."""
_PAIRS = f"""list_transform(
  from_json(props, '[["VARCHAR"]]'),
  lambda pair: {{'dimension': '{PROPS}' || pair[1], 'hour': {_WHOLE_DAY}, 'value': pair[2]}}
)"""


def _at(dimension: str, value: str, hour: str = _WHOLE_DAY) -> str:
    return f"{{'dimension': '{dimension}', 'hour': {hour}, 'value': {value}}}"


_PLACES = ", ".join(
    (
        _at(TOTAL, "''"),
        _at(TOTAL, "''", "hour"),
        _at(NAME, NAME),
        _at(NAME, NAME, "hour"),
        _at(HOSTNAME, HOSTNAME),
        _at(PAGE, PAGE),
    )
)
"""Where an event counts, beside its declared props."""

_KEY = "site_id, dimension, day, hour, value"
_VISITOR = "sign, site_id, day, visitor"
_VISIT = f"{_VISITOR}, visit_no"
_OF_VISITOR = ("visits", "pageviews", "events", "views", "bounced", "lasted_ms")
_OF_ENGAGEMENT = ("engaged_ms", "engaged_visits", "scroll_pct", "scroll_visits")
_MEASURES = "views, bounced, lasted_ms"


def _sum(names: Iterable[str], times: str = "") -> str:
    return ", ".join(f"sum({times}{name})::BIGINT AS {name}" for name in names)


_ADD = f"""
CREATE OR REPLACE TEMP TABLE total AS
WITH placed AS (
  SELECT {_VISIT}, is_view, unnest(list_concat([{_PLACES}], {_PAIRS})) AS place
  FROM numbered WHERE NOT quiet
), event_of_visit AS (
  SELECT {_VISIT}, place.dimension, place.hour, place.value,
    count(*) AS events, count(*) FILTER (is_view) AS pageviews
  FROM placed GROUP BY ALL
), counted AS (
  -- What an event has: beside it, the visits that hold such an event, measured whole. A page's
  -- visits are those that entered there.
  SELECT {_VISITOR}, is_only, dimension, hour, value, pageviews, events,
    (is_only IS NOT NULL AND dimension <> '{PAGE}')::BIGINT AS visits,
    CASE WHEN dimension <> '{PAGE}' THEN views ELSE 0 END AS views,
    CASE WHEN dimension <> '{PAGE}' THEN bounced ELSE 0 END AS bounced,
    CASE WHEN dimension <> '{PAGE}' THEN lasted_ms ELSE 0 END AS lasted_ms
  FROM event_of_visit
  LEFT JOIN (SELECT {_VISIT}, is_only, {_MEASURES} FROM visit)
    USING ({_VISIT.replace(" ", "")})
  UNION ALL BY NAME
  SELECT {_VISITOR}, is_only, dimension, {_WHOLE_DAY} AS hour, value,
    views AS pageviews, events, 1::BIGINT AS visits, {_MEASURES}
  FROM (UNPIVOT visit ON {", ".join(OF_VISIT)} INTO NAME dimension VALUE value)
), by_visitor AS (
  -- A visitor counts once, however many of its visits do; those of one visit need not be told
  -- apart, and are most.
  SELECT sign, site_id, day, CASE WHEN NOT is_only THEN visitor END AS who, dimension, hour, value,
    CASE WHEN any_value(who) IS NULL THEN count(visitor) ELSE 1 END AS visitors,
    {_sum(_OF_VISITOR)}
  FROM counted GROUP BY sign, site_id, day, who, dimension, hour, value
), engaged AS (
  -- Engagement with a page by one visit is one, however many events tell of it.
  SELECT {_VISIT}, page, sum(engaged_ms)::BIGINT AS engaged_ms, max(scroll_pct) AS scroll_pct,
    (count(engaged_ms) > 0)::BIGINT AS engaged_visits,
    (count(scroll_pct) > 0)::BIGINT AS scroll_visits
  FROM numbered WHERE quiet AND visit_no > 0 GROUP BY ALL
), changes AS (
  SELECT site_id, dimension, day, hour, value,
    {_sum(("visitors", *_OF_VISITOR), "sign * ")}
  FROM by_visitor GROUP BY ALL
  UNION ALL BY NAME
  SELECT site_id, '{PAGE}' AS dimension, day, {_WHOLE_DAY} AS hour, {ENTRY_PAGE} AS value,
    sum(sign)::BIGINT AS visits, {_sum(("views", "bounced", "lasted_ms"), "sign * ")}
  FROM visit GROUP BY ALL
  UNION ALL BY NAME
  SELECT site_id, place.dimension, day, {_WHOLE_DAY} AS hour, place.value,
    {_sum(_OF_ENGAGEMENT, "sign * ")}
  FROM (
    SELECT *, unnest([{_at(PAGE, PAGE)}, {_at(TOTAL, "''")}]) AS place FROM engaged
  ) GROUP BY ALL
  UNION ALL BY NAME SELECT * FROM total
)
SELECT {_KEY}, {", ".join(f"coalesce(sum({n}), 0)::BIGINT AS {n}" for n in SUMS)}
FROM changes GROUP BY {_KEY} HAVING {" OR ".join(f"sum({n}) <> 0" for n in SUMS)}
"""
_MAKE_TOTAL = (
    "CREATE OR REPLACE TEMP TABLE total (site_id INTEGER, dimension VARCHAR, day DATE,"
    f" hour SMALLINT, value VARCHAR, {', '.join(f'{name} BIGINT' for name in SUMS)})"
)
_MAKE_LEFT_OUT = (
    "CREATE OR REPLACE TEMP TABLE left_out (site_id INTEGER, day DATE, dimension VARCHAR)"
)
_PUT_LEFT_OUT = "INSERT INTO left_out VALUES (?, ?, ?)"
_DROP_LEFT_OUT = """
DELETE FROM total WHERE (site_id, day, dimension) IN (SELECT site_id, day, dimension FROM left_out)
"""
_COUNT_VALUES = """
SELECT site_id, day, dimension, count(*) FROM total
WHERE hour = -1 AND greatest(visitors, events, visits, engaged_visits, scroll_visits) > 0
GROUP BY site_id, day, dimension
"""
_FEWER = """
SELECT count(*) FROM total
WHERE least(visitors, events, visits, engaged_visits, scroll_visits) < 0
"""
_DIGEST = "'\\x' || md5(value)"
_WRITE = f"""
COPY (
  SELECT site_id, dimension, day, {{hour}} {_DIGEST} AS digest, value, {", ".join(SUMS)}
  FROM total WHERE {{which}} ORDER BY ALL
) TO '{{path}}' (FORMAT csv, HEADER false, FORCE_QUOTE (dimension, value), USE_TMP_FILE false)
"""
_TABLES = ("event", "numbered", "visit", "total", "left_out")


class Left(NamedTuple):
    """A dimension with too many values on a day of a site."""

    site_id: int
    day: date
    dimension: str


class Sums:
    """Adds up what sets of visitor-days add to the rollups. Not for two threads at once.

    ``values``: how many values were added that may be new, by dimension.
    """

    def __init__(self, max_values: int = MAX_VALUES) -> None:
        self.max_values = max_values
        self.values: dict[Left, int] = {}
        self.room = Room[Left]()
        self._duck = duckdb.connect(":memory:", config=_SETTINGS)

    def begin(self, left_out: Iterable[Left] = ()) -> None:
        """Forget what was added; ``left_out`` is not counted."""
        self._duck.execute(_MAKE_TOTAL)
        self._duck.execute(_MAKE_LEFT_OUT)
        self._leave_out(list(left_out))

    def add(self, events: IO[bytes]) -> list[Left]:
        """Events of whole visitor-days, as CSV of ``COLUMNS``; returns what explodes by them."""
        self._duck.execute(_MAKE_EVENT, (_path(events),))
        self._duck.execute(_MAKE_NUMBERED)
        self._duck.execute(_MAKE_VISIT)
        self._duck.execute(_ADD)
        self._duck.execute(_DROP_LEFT_OUT)
        found = self._duck.execute(_COUNT_VALUES).fetchall()
        self.values = {Left(*of): values for *of, values in found}
        exploded = [left for left, values in self.values.items() if values > self.max_values]
        self._leave_out(exploded)
        for left in exploded:
            del self.values[left]
        return exploded

    def has_less(self) -> bool:
        """Whether anything went, so that a row may have nothing left."""
        found = self._duck.execute(_FEWER).fetchone()
        return found is not None and found[0] > 0

    def write_days(self, target: IO[bytes]) -> None:
        """CSV for ``rollup_day``: its columns in their order."""
        self._write(target, "", "hour = -1")

    def write_hours(self, target: IO[bytes]) -> None:
        """CSV for ``rollup_hour``: its columns in their order."""
        self._write(target, "hour,", "hour >= 0")

    def clear(self) -> None:
        """Give the memory back."""
        for table in _TABLES:
            self._duck.execute(f"DROP TABLE IF EXISTS {table}")

    def close(self) -> None:
        """End the engine."""
        self._duck.close()

    def _leave_out(self, left: Sequence[Left]) -> None:
        if left:
            self._duck.executemany(_PUT_LEFT_OUT, left)
            self._duck.execute(_DROP_LEFT_OUT)

    def _write(self, target: IO[bytes], hour: str, which: str) -> None:
        self._duck.execute(_WRITE.format(hour=hour, which=which, path=_path(target)))
        target.seek(0)


def _path(file: IO[bytes]) -> str:
    """An open file as DuckDB can open it; it needs no name, so that nothing is left behind."""
    return f"/dev/fd/{file.fileno()}"
