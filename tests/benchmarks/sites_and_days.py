"""``year_of_a_small_site_ms``: the twelve panels of a year of one small site in one batch, beside
as many sites as `--sites` says (1,000), each with a file a day; ``filtered_year_…`` the same with
two filters, from 365 files; ``growth_…`` each ÷ the same with that site alone;
``planning_ms`` of a scan of the year's rows; ``archived_days_per_s`` of the archive's job.
"""

import time
from datetime import date
from statistics import median
from typing import Any

import psycopg

from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure, exact
from tests.benchmarks.many_sites import multiply
from tests.benchmarks.month_traffic import MadeSite
from tests.benchmarks.month_world import MonthWorld, closed_days, empty_world
from tests.benchmarks.panels import FILTERS, LIMIT, PANELS, question

DAYS, A_DAY = 365, 6
TIMES = 7
_SITE = MadeSite("year.example", "Europe/Berlin", A_DAY)
_COUNTS = """
SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM rollup_day),
  (SELECT count(*) FROM archive_file), (SELECT sum(bytes) FROM archive_file)::bigint,
  (SELECT count(*) FROM pg_class WHERE relname LIKE '\\_hyper%%chunk'),
  pg_total_relation_size('rollup_day')
"""
_PLANNED = """
EXPLAIN (SUMMARY) SELECT day, count(DISTINCT visitor) FROM events
WHERE site_id = %s AND ts >= %s AND ts < %s AND commit_out IS NULL GROUP BY day
"""


def run(context: Context) -> list[Figure]:
    """Once alone, once among the others."""
    wanted = closed_days(DAYS)
    span = (wanted[0], wanted[-1])
    with empty_world(context.folder / "year", context.say) as world:
        _, took = world.fill([_SITE], wanted)
        world.start_api()
        alone = _measure(world, span)
        began = time.monotonic()
        site_id = _site_id(world)
        multiply(world.database, world.folder / "archive", site_id, context.sites - 1)
        context.say(f"  {context.sites} sites made in {time.monotonic() - began:.0f} s")
        among = _measure(world, span)
        detail = _counts(world)
    return [
        _times("year_of_a_small_site_ms", among["plain"], detail),
        _growth("growth_year_of_a_small_site", among["plain"], alone["plain"]),
        _times("filtered_year_of_a_small_site_ms", among["filtered"], {}),
        _growth("growth_filtered_year_of_a_small_site", among["filtered"], alone["filtered"]),
        _times("planning_ms", among["planning"], {"alone": median(alone["planning"])}),
        exact("archived_days_per_s", DAYS / took["archive"], "1/s", events_a_day=A_DAY),
    ]


def _measure(world: MonthWorld, span: tuple[date, date]) -> dict[str, list[float]]:
    """ms of each try; the first is not counted."""
    return {
        "plain": _ask(world, span, []),
        "filtered": _ask(world, span, FILTERS),
        "planning": _plan(world, span),
    }


def _ask(world: MonthWorld, span: tuple[date, date], filters: Any) -> list[float]:
    asked = [question(panel, _SITE.key, span, LIMIT, filters) for panel in PANELS.values()]
    took = []
    for _ in range(TIMES + 1):
        answer, seconds = world.ask("/api/v2/query/batch", {"queries": asked})
        took.append(seconds * 1e3)
    sources = {name for each in answer["answers"] for name in each["meta"]["sources"]}
    world.say(f"  from {', '.join(sorted(sources))}: {median(took[1:]):.0f} ms")
    return took[1:]


def _plan(world: MonthWorld, span: tuple[date, date]) -> list[float]:
    with psycopg.connect(world.database, autocommit=True) as connection:
        plans = [
            connection.execute(_PLANNED, [_site_id(world), *span]).fetchall()
            for _ in range(TIMES + 1)
        ]
    return [_planning_ms(plan) for plan in plans[1:]]


def _planning_ms(plan: list[Any]) -> float:
    [line] = [text for (text,) in plan if text.startswith("Planning Time")]
    return float(line.split()[2])


def _site_id(world: MonthWorld) -> int:
    with psycopg.connect(world.database) as connection:
        asked = "SELECT site_id FROM site WHERE key = %s"
        row = connection.execute(asked, [_SITE.key]).fetchone()
    assert row is not None
    return int(row[0])


def _counts(world: MonthWorld) -> dict[str, Any]:
    names = ("events", "rollup_rows", "files", "archive_bytes", "chunks", "rollup_bytes")
    with psycopg.connect(world.database) as connection:
        row = connection.execute(_COUNTS).fetchone()
    assert row is not None
    return dict(zip(names, map(int, row), strict=True))


def _times(name: str, took_ms: list[float], detail: dict[str, Any]) -> Figure:
    return Figure(name, median(took_ms), min(took_ms), max(took_ms), "ms", detail)


def _growth(name: str, among: list[float], alone: list[float]) -> Figure:
    ratio = median(among) / median(alone)
    detail = {"alone_ms": round(median(alone), 1), "among_ms": round(median(among), 1)}
    return Figure(name, ratio, min(among) / max(alone), max(among) / min(alone), "", detail)
