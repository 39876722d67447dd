"""What a set of visitor-days adds to the rollups: the sums of its events as they are now, less the
sums of its events as they were. DuckDB counts, in this process and in few threads.

Visits are put together as the API does it from rows: a visitor's events of one site-day in the
order of (ts, event id), with no gap over 30 minutes; engagement joins the visit before it.
"""

from collections.abc import Iterable, Sequence
from datetime import date
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
    TOTAL,
)
from writer.tables import SUMS

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": "768MB",
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
    " engaged_ms, scroll_pct"
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

_ZERO = dict.fromkeys(SUMS, "0")
_VISITORS = "count(DISTINCT visitor) FILTER (sign > 0) - count(DISTINCT visitor) FILTER (sign < 0)"
_WHOLE_VISITS = {
    "visits": "sum(sign)",
    "views": "sum(sign * views)",
    "bounced": "sum(sign * bounced)",
    "lasted_ms": "sum(sign * lasted_ms)",
}
_EVENTS_OF_VISITS = {"pageviews": "sum(sign * views)", "events": "sum(sign * events)"}
_EVENTS = {"pageviews": "sum(sign * pageviews)", "events": "sum(sign * events)"}
_OF_ITS_VISITS = {
    name: f"{total} FILTER (visit_no IS NOT NULL)" for name, total in _WHOLE_VISITS.items()
}
_ENGAGED = {
    "engaged_ms": "sum(sign * engaged_ms)",
    "engaged_visits": "sum(sign) FILTER (engaged_ms IS NOT NULL)",
    "scroll_pct": "sum(sign * scroll_pct)",
    "scroll_visits": "sum(sign) FILTER (scroll_pct IS NOT NULL)",
}
_DAY_ONLY = "-1::SMALLINT"


def _sums(**known: str) -> str:
    return ", ".join(
        f"coalesce({total}, 0)::BIGINT AS {name}" for name, total in {**_ZERO, **known}.items()
    )


def _of_visits() -> str:
    """By each dimension of visits."""
    sums = _sums(visitors=_VISITORS, **_WHOLE_VISITS, **_EVENTS_OF_VISITS)
    return f"""
SELECT site_id, dimension, day, {_DAY_ONLY} AS hour, value, {sums}
FROM (UNPIVOT visit ON {", ".join(OF_VISIT)} INTO NAME dimension VALUE value)
GROUP BY site_id, dimension, day, value
"""


def _at_entry_page() -> str:
    """By page a visit counts at its entry page."""
    return f"""
SELECT site_id, '{PAGE}', day, {_DAY_ONLY}, {ENTRY_PAGE}, {_sums(**_WHOLE_VISITS)}
FROM visit GROUP BY site_id, day, {ENTRY_PAGE}
"""


def _of_events(
    dimension: str, value: str, hour: str, *, with_visits: bool = True, source: str = "numbered"
) -> str:
    """By what an event has; beside it the visits that hold such an event, measured whole."""
    key = "sign, site_id, day, visitor, visit_no"
    sums = _sums(visitors=_VISITORS, **_EVENTS, **(_OF_ITS_VISITS if with_visits else {}))
    return f"""
SELECT site_id, dimension, day, bucket AS hour, value, {sums}
FROM (
  SELECT {key}, {dimension} AS dimension, {hour} AS bucket, {value} AS value,
    count(*) AS events, count(*) FILTER (is_view) AS pageviews
  FROM {source} WHERE NOT quiet
  GROUP BY ALL
) LEFT JOIN (SELECT {key}, views, bounced, lasted_ms FROM visit)
  USING (sign, site_id, day, visitor, visit_no)
GROUP BY site_id, dimension, day, bucket, value
"""


def _of_engagement(dimension: str, value: str) -> str:
    """Engagement with a page by one visit is one, however many events tell of it."""
    return f"""
SELECT site_id, '{dimension}', day, {_DAY_ONLY}, {value} AS value, {_sums(**_ENGAGED)}
FROM (
  SELECT sign, site_id, day, visitor, visit_no, page, sum(engaged_ms) AS engaged_ms,
    max(scroll_pct) AS scroll_pct
  FROM numbered WHERE quiet AND visit_no > 0
  GROUP BY sign, site_id, day, visitor, visit_no, page
) GROUP BY site_id, day, value
"""


_WITH_PROPS = """(
  SELECT numbered.*, unnest(from_json(event.props, '[["VARCHAR"]]')) AS pair
  FROM numbered JOIN event USING (id) WHERE event.props IS NOT NULL
)"""

_PARTS = (
    _of_visits(),
    _at_entry_page(),
    _of_events(f"'{TOTAL}'", "''", _DAY_ONLY),
    _of_events(f"'{TOTAL}'", "''", "hour"),
    _of_events(f"'{NAME}'", "name", _DAY_ONLY),
    _of_events(f"'{NAME}'", "name", "hour"),
    _of_events(f"'{HOSTNAME}'", "hostname", _DAY_ONLY),
    _of_events(f"'{PAGE}'", "page", _DAY_ONLY, with_visits=False),
    _of_engagement(PAGE, "page"),
    _of_engagement(TOTAL, "''"),
    _of_events(f"'{PROPS}' || pair[1]", "pair[2]", _DAY_ONLY, source=_WITH_PROPS),
)
_KEY = "site_id, dimension, day, hour, value"
_ALL_SUMS = ", ".join(f"sum({name})::BIGINT AS {name}" for name in SUMS)
_CHANGED = " OR ".join(f"sum({name}) <> 0" for name in SUMS)
_MAKE_TOTAL = (
    "CREATE OR REPLACE TEMP TABLE total (site_id INTEGER, dimension VARCHAR, day DATE,"
    f" hour SMALLINT, value VARCHAR, {', '.join(f'{name} BIGINT' for name in SUMS)})"
)
_MAKE_LEFT_OUT = (
    "CREATE OR REPLACE TEMP TABLE left_out (site_id INTEGER, day DATE, dimension VARCHAR)"
)
_PUT_LEFT_OUT = "INSERT INTO left_out VALUES (?, ?, ?)"
_ADD = f"""
CREATE OR REPLACE TEMP TABLE total AS
SELECT {_KEY}, {_ALL_SUMS}
FROM (SELECT * FROM total UNION ALL {" UNION ALL ".join(_PARTS)})
GROUP BY {_KEY} HAVING {_CHANGED}
"""
_DROP_LEFT_OUT = """
DELETE FROM total WHERE (site_id, day, dimension) IN (SELECT site_id, day, dimension FROM left_out)
"""
_FIND_EXPLODED = """
SELECT site_id, day, dimension FROM total
WHERE hour = -1 AND greatest(visitors, events, visits, engaged_visits, scroll_visits) > 0
GROUP BY site_id, day, dimension HAVING count(*) > ?
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
    """Adds up what sets of visitor-days add to the rollups. Not for two threads at once."""

    def __init__(self, max_values: int = MAX_VALUES) -> None:
        self.max_values = max_values
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
        found = self._duck.execute(_FIND_EXPLODED, (self.max_values,)).fetchall()
        exploded = [Left(*row) for row in found]
        self._leave_out(exploded)
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
