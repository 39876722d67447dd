"""What is in no number is a question of its own: how much, why, on which day."""

import asyncio
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.archive_world import write_archive
from tests.integration.api_service import NOW, ApiService, api_service, error
from tests.writer_world import CHROME, FakeEdge, Pipe, envelope, put_edge, rows
from writer.known.zones import us

pytestmark = pytest.mark.anyio
SITE, OTHER = "example.com", "other.example"
CURL, WGET = "curl/8.5.0", "Wget/1.21"
TODAY = "2024-05-15"


@pytest.fixture
def pipe(database: str) -> Iterator[Pipe]:
    put_edge(database)
    made = Pipe(database, now=us(NOW))
    yield made
    made.close()


async def ready(api: ApiService, zone: str = "UTC") -> None:
    await api.sign_in()
    for site in (SITE, OTHER):
        body = {"key": site, "settings": {"time_zone": zone}}
        assert (await api.client.post("/api/sites", json=body)).status_code == 201


def told(database: str, day: str, reason: str, events: int, table: str = "not_counted") -> None:
    with psycopg.connect(database) as db:
        row = (date.fromisoformat(day), reason, events)
        db.execute(f"INSERT INTO {table} VALUES (1, %s, %s, %s)".encode(), row)


def set_aside(database: str, at: datetime, reason: str, site: str = SITE) -> None:
    with psycopg.connect(database) as db:
        db.execute(
            "INSERT INTO quarantine (edge, site, reason, sealed, commit_no, received_at)"
            " VALUES ('e1', %s, %s, '', 1, %s)",
            (site, reason, at),
        )


async def ask(api: ApiService, **more: Any) -> httpx.Response:
    body = {"site_id": SITE, "date_range": "day", **more}
    return await api.client.post("/api/v2/query/not-counted", json=body)


async def shown(api: ApiService, **more: Any) -> list[list[Any]]:
    answer = await ask(api, **more)
    assert answer.status_code == 200, answer.text
    return [[*row["dimensions"], *row["metrics"]] for row in answer.json()["results"]]


async def test_robots_are_counted_by_rule_and_people_not_at_all(database: str, pipe: Pipe) -> None:
    edge = FakeEdge()
    async with api_service(database) as api:
        await ready(api)
        for agent in (CURL, CURL, WGET, CHROME):
            pipe.put(edge.entry([envelope(received_at=us(NOW), user_agent=agent)]))
        pipe.put(edge.entry([envelope(received_at=us(NOW), site=OTHER, user_agent=CURL)]))
        assert await shown(api) == [["bot", "^curl", 2], ["bot", "[wW]get", 1]]
        assert await shown(api, date_range="7d") == []
        meta = (await ask(api)).json()["meta"]
        assert meta == {"as_of": rows(database, "select settled()")[0][0], "total_rows": 2}


async def test_every_kind_has_its_reasons_and_edge_and_writer_drop_for_one_reason_together(
    database: str,
) -> None:
    async with api_service(database) as api:
        await ready(api)
        told(database, TODAY, "dropped:dnt", 7)
        told(database, TODAY, "dropped:gpc", 6)
        told(database, TODAY, "dropped:excluded", 2)
        told(database, TODAY, "refused:forbidden_origin", 4)
        told(database, TODAY, "refused:rate_limited", 3)
        told(database, TODAY, "excluded", 3, "dropped")
        set_aside(database, NOW, "bad_json")
        set_aside(database, NOW, "bad_json", OTHER)
        assert await shown(api) == [
            ["dropped", "dnt", 7],
            ["dropped", "gpc", 6],
            ["dropped", "excluded", 5],
            ["refused", "forbidden_origin", 4],
            ["refused", "rate_limited", 3],
            ["quarantined", "bad_json", 1],
        ]
        kinds = [["dropped", 18], ["refused", 7], ["quarantined", 1]]
        assert await shown(api, dimensions=["kind"]) == kinds
        assert await shown(api, dimensions=[]) == [[26]]
        page = {"limit": 1, "offset": 1}
        assert await shown(api, dimensions=["kind"], pagination=page) == [["refused", 7]]


async def test_days_are_the_sites_own(database: str) -> None:
    async with api_service(database) as api:
        await ready(api, "Asia/Kolkata")
        midnight = datetime.fromisoformat("2024-05-15T00:00:00+05:30")
        told(database, "2024-05-14", "dropped:dnt", 1)
        told(database, "2024-05-15", "dropped:dnt", 2)
        set_aside(database, midnight - timedelta(seconds=1), "bad_json")
        set_aside(database, midnight, "bad_json")
        by_day = await shown(api, date_range=["2024-05-14", TODAY], dimensions=["time:day", "kind"])
        assert sorted(by_day) == [
            ["2024-05-14", "dropped", 1],
            ["2024-05-14", "quarantined", 1],
            ["2024-05-15", "dropped", 2],
            ["2024-05-15", "quarantined", 1],
        ]
        assert await shown(api, date_range="all", dimensions=[]) == [[5]]
        asked = (await ask(api)).json()["query"]
        assert asked["date_range"] == ["2024-05-15T00:00:00+05:30", "2024-05-15T23:59:59+05:30"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"dimensions": ["visit:source"]}, "dimensions[0]"),
        ({"dimensions": ["kind", "kind"]}, "dimensions[1]"),
        ({"date_range": ["2024-05-15T00:00:00Z", "2024-05-15T10:00:00Z"]}, "date_range"),
        ({"date_range": "fortnight"}, "date_range"),
        ({"pagination": {"limit": 0}}, "pagination.limit"),
        ({"pagination": {"offset": -1}}, "pagination.offset"),
        ({"metrics": ["visitors"]}, "metrics"),
    ],
)
async def test_what_cannot_be_answered_is_refused_by_its_name(
    database: str, change: dict[str, Any], field: str
) -> None:
    async with api_service(database) as api:
        await ready(api)
        assert error(await ask(api, **change)) == (400, "bad_query", field)


async def test_a_key_of_another_site_is_told_nothing(database: str) -> None:
    async with api_service(database) as api:
        await ready(api)
        api.client.headers.clear()
        api.client.cookies.clear()
        api.client.headers.update(await api.key("query", site=OTHER))
        assert error(await ask(api))[:2] == (403, "forbidden")


async def test_robots_of_days_whose_rows_are_away_are_counted_from_their_files(
    database: str, pipe: Pipe, tmp_path: Path
) -> None:
    edge = FakeEdge()
    async with api_service(database, archive_folder=tmp_path) as api:
        await ready(api)
        for days, agent in ((2, CURL), (2, WGET), (2, CHROME), (1, CURL), (0, CURL)):
            at = us(NOW - timedelta(days=days))
            pipe.put(edge.entry([envelope(received_at=at, user_agent=agent)]))
        asked = {"date_range": ["2024-05-13", TODAY], "dimensions": ["reason", "time:day"]}
        before = await shown(api, **asked)
        filed = await asyncio.to_thread(write_archive, database, tmp_path)
        with psycopg.connect(database) as db:
            db.execute("DELETE FROM events WHERE day < '2024-05-15'")
            db.execute("UPDATE site_day SET state = 'file' WHERE day < '2024-05-15'")
        assert await shown(api, **asked) == before
        assert len(before) == 4
        (tmp_path / min(filed, key=lambda each: each.day).path).unlink()
        answer = (await ask(api, **asked)).json()
        assert answer["meta"]["missing_days"] == ["2024-05-13"]
        assert len(answer["results"]) == 2
