"""One answer, one commit: panels agree with each other while events stream in."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import psycopg
import pytest

from tests.integration.api_service import ApiService, api_service
from tests.writer_world import NOON, SITE, FakeEdge, Pipe, envelope
from writer.rollups.step import step

pytestmark = pytest.mark.anyio

BATCHES, EVENTS = 30, 12
HOUR_US = 3_600_000_000
RANGE = ["2026-06-08", "2026-06-10"]
CHROME = ["is", "visit:browser", ["Chrome"]]
PANELS: dict[str, dict[str, Any]] = {
    "total": {"metrics": ["visitors", "visits", "pageviews", "events"]},
    "days": {"metrics": ["visitors", "visits", "pageviews", "events"], "dimensions": ["time:day"]},
    "hours": {"metrics": ["pageviews", "events"], "dimensions": ["time:hour"]},
    "pages": {"metrics": ["pageviews", "visits"], "dimensions": ["event:page"]},
    "names": {"metrics": ["events"], "dimensions": ["event:name"]},
    "languages": {"metrics": ["visits", "pageviews", "events"], "dimensions": ["visit:language"]},
    "both": {"metrics": ["events"], "dimensions": ["visit:language", "event:page"]},
    "chrome": {"metrics": ["visits", "events"], "filters": [CHROME, ["is", "event:page", ["/a"]]]},
    "others": {"metrics": ["events"], "filters": [["not", CHROME]]},
    "not a": {"metrics": ["events"], "filters": [CHROME, ["is_not", "event:page", ["/a"]]]},
}

Answers = dict[str, dict[str, Any]]


def stream_in(pipe: Pipe, random: Random, batches: int = BATCHES) -> None:
    """Batches, each of one of three days, in no order of time."""
    edge = FakeEdge()
    for _ in range(batches):
        day_us = random.randrange(3) * 24 * HOUR_US
        beacons = [
            envelope(
                received_at=NOON - day_us - random.randrange(10 * HOUR_US),
                ip=f"203.0.113.{random.randrange(40)}",
                language=random.choice(("de", "fr", "en")),
                url=f"https://{SITE}/{random.choice('aab')}",
                name=random.choice(("pageview", "pageview", "signup")),
            )
            for _ in range(EVENTS)
        ]
        pipe.put(edge.entry(beacons))


def roll_up(database: str, random: Random, ended: threading.Event) -> None:
    """A stage that follows, stops for a while, and is taken for dead now and then."""
    with psycopg.connect(database, autocommit=True) as connection:
        while not ended.wait(random.choice((0, 0.05, 0.2))):
            step(connection, most_events=EVENTS)
            if random.random() < 0.4:
                connection.execute("update rollup_progress set looked_at = null")


@contextmanager
def running(*works: Callable[[], None]) -> Iterator[list[threading.Thread]]:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    yield threads
    for thread in threads:
        thread.join()


async def ask(api: ApiService, headers: dict[str, str], *names: str) -> Answers:
    """One by itself, or several together."""
    asked = [{"site_id": SITE, "date_range": RANGE, **PANELS[name]} for name in names]
    path = "/api/v2/query" if len(asked) == 1 else "/api/v2/query/batch"
    body = asked[0] if len(asked) == 1 else {"queries": asked}
    answer = await api.client.post(path, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    given = [answer.json()] if len(asked) == 1 else answer.json()["answers"]
    return dict(zip(names, given, strict=True))


def summed(answer: dict[str, Any], metric: str) -> int:
    place = answer["query"]["metrics"].index(metric)
    return sum(row["metrics"][place] for row in answer["results"])


def check_that_they_agree(answers: Answers) -> None:
    total = answers["total"]
    for metric in ("visitors", "visits", "pageviews", "events"):
        assert summed(answers["days"], metric) == summed(total, metric), metric
    for name in ("hours", "pages", "languages"):
        assert summed(answers[name], "pageviews") == summed(total, "pageviews"), name
    for name in ("hours", "names", "languages", "both"):
        assert summed(answers[name], "events") == summed(total, "events"), name
    for name in ("pages", "languages"):
        assert summed(answers[name], "visits") == summed(total, "visits"), name
    parts = [summed(answers[name], "events") for name in ("chrome", "others", "not a")]
    assert sum(parts) == summed(total, "events")


async def test_panels_agree_together_and_apart_while_events_stream_in(
    database: str, pipe: Pipe
) -> None:
    random, ended = Random(5), threading.Event()
    seen: dict[tuple[str, int], list[Any]] = {}
    sources: set[tuple[str, ...]] = set()

    def remember(answers: Answers) -> None:
        for name, answer in answers.items():
            sources.add(tuple(answer["meta"]["sources"]))
            results = seen.setdefault((name, answer["meta"]["as_of"]), answer["results"])
            assert answer["results"] == results, (name, answer["meta"])

    async with api_service(database) as api:
        headers = await api.key("query")
        with running(
            lambda: stream_in(pipe, Random(6)), lambda: roll_up(database, Random(7), ended)
        ) as [writing, _]:
            while writing.is_alive():
                together = await ask(api, headers, *PANELS)
                assert len({answer["meta"]["as_of"] for answer in together.values()}) == 1
                check_that_they_agree(together)
                remember(together)
                remember(await ask(api, headers, random.choice(list(PANELS))))
                await asyncio.sleep(0)
            ended.set()
        with psycopg.connect(database, autocommit=True) as connection:
            while step(connection):
                pass
            remember(await ask(api, headers, *PANELS))
            # A stage that has died before the last commit: the day that it touched comes from rows.
            stream_in(pipe, Random(8), batches=1)
            connection.execute("update rollup_progress set looked_at = null")
        together = await ask(api, headers, *PANELS)
        check_that_they_agree(together)
        remember(together)
        assert summed(together["total"], "events") == (BATCHES + 1) * EVENTS
    assert {("rollups",), ("rows",), ("rollups", "rows")} <= sources
