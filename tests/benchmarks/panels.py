"""The twelve panels of an overview: as they are asked over HTTP, and as SQL for other engines.

The engines' table ``events`` has what an event is counted by (``ts_us``, ``day``, ``name``,
``page``, …), ``counted`` (neither robot nor engagement), and as given: ``visitor_day`` and
``visit``, dense numbers. Where a visit's value is the same in all of its events (what the address
or the user agent say), the SQL takes the event's, which is cheaper.
"""

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from tests.benchmarks.month_traffic import BROWSER, COUNTRY

LIMIT = 9
ALL_ROWS = 10_000
FILTERS = [["is", "visit:country", [COUNTRY]], ["is", "visit:browser", [BROWSER]]]


class Dialect(NamedTuple):
    """What engines call differently."""

    arg_min: str
    arg_max: str
    half_even: str
    whole_div: str
    keep: str


class Relations(NamedTuple):
    """What a panel is counted from: ``rows`` are the chosen events, ``visits`` makes a relation
    of theirs with some columns beside its measures. Both are ready to stand after FROM."""

    rows: str
    visits: Callable[..., str]


class Panel(NamedTuple):
    """``metrics`` and ``dimension`` as they are asked; ``sql`` gives dimension, then metrics, with
    the place of a cut."""

    metrics: tuple[str, ...]
    dimension: str | None
    sql: Callable[[Dialect, Relations], str]
    filters: tuple[Any, ...] = ()


def question(panel: Panel, site: str, days: tuple[date, date], limit: int, filters: Any) -> Any:
    """The body of a query."""
    asked: dict[str, Any] = {
        "site_id": site,
        "metrics": list(panel.metrics),
        "date_range": [str(day) for day in days],
        "filters": [*filters, *panel.filters],
    }
    if panel.dimension is not None:
        asked["dimensions"] = [panel.dimension]
    if panel.dimension not in (None, "time:day"):
        asked |= {"include": {"total_rows": True}, "pagination": {"limit": limit, "offset": 0}}
    return asked


def statement(panel: Panel, dialect: Dialect, relations: Relations, limit: int) -> str:
    """The SQL of a panel: its rows, each with how many there are uncut."""
    sql = panel.sql(dialect, relations)
    if panel.dimension is None:
        return sql
    order = "1" if panel.dimension == "time:day" else f"2 DESC, 1 LIMIT {limit}"
    return f"{sql} GROUP BY 1 ORDER BY {order}"


def chosen(site_id: int, days: tuple[date, date], filtered: bool) -> str:
    """The condition on a row of ``events``."""
    where = f"site_id = {site_id} AND counted AND day BETWEEN '{days[0]}' AND '{days[1]}'"
    return f"{where} AND country = '{COUNTRY}' AND browser = '{BROWSER}'" if filtered else where


def scanned(dialect: Dialect, where: str) -> Relations:
    """Every panel scans the table for itself, and puts together what it needs of visits."""
    rows = f"(SELECT * FROM events WHERE {where}) chosen"
    return Relations(rows, lambda *columns: f"({visits(dialect, rows, *columns)}) of_visits")


SHARED = Relations("chosen_rows", lambda *_: "chosen_visits")
"""One scan for all panels: the tables that ``share`` makes."""


def share(dialect: Dialect, where: str) -> tuple[str, str]:
    """The SELECTs behind ``chosen_rows`` and ``chosen_visits``."""
    columns = "day, ts_us, visitor_day, visit, name, interactive, page, source, channel"
    rows = f"SELECT {columns}, country, browser, os, device FROM events WHERE {where}"
    return rows, visits(dialect, "chosen_rows", "source", "channel", "entry", "exit")


def visits(dialect: Dialect, rows: str, *columns: str) -> str:
    """One row a visit."""
    first, last = f"{dialect.arg_min}", f"{dialect.arg_max}"
    pageview = "FILTER (WHERE name = 'pageview')"
    made = {
        "source": f"{first}(source, ts_us) AS source",
        "channel": f"{first}(channel, ts_us) AS channel",
        "entry": f"coalesce({first}(page, ts_us) {pageview}, '') AS entry",
        "exit": f"coalesce({last}(page, ts_us) {pageview}, '') AS exit",
    }
    more = "".join(f", {made[column]}" for column in columns)
    others = "count(*) FILTER (WHERE interactive AND name <> 'pageview')"
    lasted_ms = dialect.whole_div.format("max(ts_us) - min(ts_us)", 1_000)
    return (
        f"SELECT visit, min(visitor_day) AS of_visitor, count(*) {pageview} AS views,"
        f" CASE WHEN count(*) {pageview} = 1 AND {others} = 0 THEN 1 ELSE 0 END AS bounced,"
        f" {lasted_ms} AS lasted_ms{more} FROM {rows} GROUP BY visit"
    )


def _figures(dialect: Dialect, relations: Relations) -> str:
    def ratio(numerator: str, per_visit: str) -> str:
        return f"{dialect.half_even}({numerator} / ({per_visit} * count(*)), 0)"

    return (
        f"SELECT count(DISTINCT of_visitor), count(*), sum(views),"
        f" {ratio('100.0 * sum(views)', '1')} / 100, {ratio('100.0 * sum(bounced)', '1')},"
        f" {ratio('sum(lasted_ms)', '1000.0')}, 1 FROM {relations.visits()}"
    )


def _by_event(column: str, more: str = "", where: str = "true") -> Callable[..., str]:
    def sql(_: Dialect, relations: Relations) -> str:
        return (
            f"SELECT {column}, count(DISTINCT visitor_day){more}, count(*) OVER ()"
            f" FROM {relations.rows} WHERE {where}"
        )

    return sql


def _by_visit(column: str) -> Callable[..., str]:
    def sql(dialect: Dialect, relations: Relations) -> str:
        bounce_rate = f"{dialect.half_even}(100.0 * sum(bounced) / count(*), 0)"
        return (
            f"SELECT {column}, count(DISTINCT of_visitor), {bounce_rate}, count(*) OVER ()"
            f" FROM {relations.visits(column)}"
        )

    return sql


_PAGEVIEWS = ", count(*) FILTER (WHERE name = 'pageview')"
_OF_VISITS = ("visitors", "bounce_rate")
_FIGURES = (
    "visitors", "visits", "pageviews", "views_per_visit", "bounce_rate", "visit_duration",
)  # fmt: skip

PANELS = {
    "figures": Panel(_FIGURES, None, _figures),
    "series": Panel(("visitors",), "time:day", _by_event("day")),
    "pages": Panel(
        ("visitors", "pageviews"),
        "event:page",
        _by_event("page", _PAGEVIEWS, "page <> ''"),
        (["is_not", "event:page", [""]],),
    ),
    "entry pages": Panel(_OF_VISITS, "visit:entry_page", _by_visit("entry")),
    "exit pages": Panel(_OF_VISITS, "visit:exit_page", _by_visit("exit")),
    "sources": Panel(_OF_VISITS, "visit:source", _by_visit("source")),
    "channels": Panel(_OF_VISITS, "visit:channel", _by_visit("channel")),
    "countries": Panel(("visitors",), "visit:country", _by_event("country")),
    "browsers": Panel(("visitors",), "visit:browser", _by_event("browser")),
    "systems": Panel(("visitors",), "visit:os", _by_event("os")),
    "devices": Panel(("visitors",), "visit:device", _by_event("device")),
    "events": Panel(
        ("visitors", "events"),
        "event:name",
        _by_event("name", ", count(*)", "name <> 'pageview'"),
        (["is_not", "event:name", ["pageview"]],),
    ),
}
