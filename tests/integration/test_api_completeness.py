"""Up to when the numbers are final, edge by edge, and what the API says of the others."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from infrastructure.cli import cli
from tests.integration.api_service import NOW, ApiService, api_service, error
from tests.integration.live_world import Store, event, put_within
from tests.writer_world import put_site, rows

pytestmark = pytest.mark.anyio

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


def put_edge(database: str, name: str, *, heard: timedelta = SECOND, **columns: Any) -> None:
    """An edge that was added 30 days ago and heard so long ago."""
    values = {"edge": name, "added_at": NOW - 30 * DAY, "last_heard": NOW - heard, **columns}
    insert(database, "edge", values)


def put_boot(
    database: str, edge: str, boot: int, *, heard: timedelta = SECOND, **columns: Any
) -> None:
    insert(database, "boot", {"edge": edge, "boot": boot, "last_heard": NOW - heard, **columns})


def insert(database: str, table: str, values: dict[str, Any]) -> None:
    marks = ", ".join(["%s"] * len(values))
    with psycopg.connect(database, autocommit=True) as db:
        query = f"insert into {table} ({', '.join(values)}) values ({marks})"
        db.execute(query.encode(), list(values.values()))


async def ask(api: ApiService, **query: str) -> Any:
    headers = await api.key("query")
    answer = await api.client.get("/api/v2/completeness", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_the_least_boot_of_the_least_edge_decides(database: str) -> None:
    put_site(database, time_zone="Asia/Tokyo")
    put_edge(database, "berlin")
    put_boot(database, "berlin", 1, final_until=NOW - SECOND)
    put_boot(database, "berlin", 2, final_until=NOW - 3 * HOUR)
    held = {"spooled_batches": 3, "spooled_bytes": 900, "oldest_spooled_at": NOW - 5 * HOUR}
    put_edge(database, "paris", heard=HOUR, **held)
    put_boot(database, "paris", 3, final_until=NOW - 5 * HOUR)
    async with api_service(database) as api:
        found = await ask(api, site_id="example.com")
    assert found["final_until"] == text(NOW - 5 * HOUR)
    # 12:00 UTC less five hours and a day is the 14th in Tokyo, of which more is to come.
    assert (found["closed_through"], found["passed"]) == ("2024-05-13", [])
    berlin, paris = found["edges"]
    assert (berlin["state"], berlin["final_until"]) == ("live", text(NOW - 3 * HOUR))
    assert (paris["state"], paris["silent_since"]) == ("silent", text(NOW - HOUR))
    assert paris["held_back"] == {
        "batches": 3,
        "bytes": 900,
        "oldest_at": text(NOW - 5 * HOUR),
    }


async def test_a_hole_holds_up_even_a_boot_that_has_ended(database: str) -> None:
    put_edge(database, "berlin")
    ended: dict[str, Any] = {"ended": True, "final_until": NOW - 2 * HOUR}
    put_boot(database, "berlin", 1, low=3, stored="{[1,2)}", void="{[2,3)}", **ended)
    put_boot(database, "berlin", 2, final_until=NOW - SECOND)
    async with api_service(database) as api:
        [edge] = (await ask(api))["edges"]
        assert (edge["final_until"], edge["in_flight_batches"]) == (text(NOW - 2 * HOUR), 1)
        insert(database, "batch", {"edge": "berlin", "boot": 1, "seq": 3, "n": 1, "commit_no": 1})
        [edge] = (await ask(api))["edges"]
        assert (edge["final_until"], edge["in_flight_batches"]) == (text(NOW - SECOND), 0)


async def test_a_lost_batch_is_told_from_one_that_is_under_way(database: str) -> None:
    put_edge(database, "berlin")
    put_boot(database, "berlin", 1, low=3, lost="{[1,3)}", final_until=NOW - HOUR)
    async with api_service(database) as api:
        [edge] = (await ask(api))["edges"]
    assert (edge["in_flight_batches"], edge["lost_batches"]) == (1, 2)


async def test_completeness_passes_an_edge_silent_for_seven_days_until_it_returns(
    database: str,
) -> None:
    put_edge(database, "berlin")
    put_boot(database, "berlin", 1, final_until=NOW - SECOND)
    put_edge(database, "paris", heard=7 * DAY - SECOND)
    put_boot(database, "paris", 2, heard=7 * DAY - SECOND, final_until=NOW - 8 * DAY)
    async with api_service(database) as api:
        assert (await ask(api))["final_until"] == text(NOW - 8 * DAY)
        api.time.now = NOW + SECOND
        found = await ask(api)
        assert (found["final_until"], found["passed"]) == (text(NOW - SECOND), ["paris"])
        assert found["edges"][1]["state"] == "written_off"
        with psycopg.connect(database, autocommit=True) as db:
            db.execute("update edge set last_heard = %s where edge = 'paris'", (NOW,))
            db.execute("update boot set last_heard = %s where edge = 'paris'", (NOW,))
        found = await ask(api)
        assert (found["final_until"], found["passed"]) == (text(NOW - 8 * DAY), [])


async def test_a_worker_that_vanished_holds_a_live_edge_up_for_seven_days(database: str) -> None:
    put_edge(database, "berlin")
    put_boot(database, "berlin", 1, final_until=NOW - SECOND)
    put_boot(database, "berlin", 2, heard=7 * DAY, final_until=NOW - 7 * DAY)
    async with api_service(database) as api:
        [edge] = (await ask(api))["edges"]
    assert (edge["final_until"], edge["passed_boots"]) == (text(NOW - SECOND), 1)


async def test_an_edge_that_was_never_heard_is_waited_for(database: str) -> None:
    put_edge(database, "berlin", added_at=NOW - HOUR, last_heard=None)
    async with api_service(database) as api:
        found = await ask(api)
    assert (found["final_until"], found["edges"][0]["state"]) == (text(NOW - HOUR), "silent")


async def test_without_an_edge_everything_is_final(database: str) -> None:
    async with api_service(database) as api:
        assert (await ask(api))["final_until"] == text(NOW)


async def test_it_calls_final_only_what_a_query_can_see(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_site(database)
    put_edge(database, "berlin")
    store = Store(database)
    store.put(event())
    monkeypatch.setattr("api.completeness.SETTLES_WITHIN_S", 60)
    async with api_service(database) as api:
        headers = await api.key("query")
        path = "/api/v2/completeness"
        with psycopg.connect(database) as slow:
            put_within(slow, [event()])
            store.put(event())
            asked = asyncio.create_task(api.client.get(path, headers=headers))
            done, _ = await asyncio.wait([asked], timeout=0.5)
            assert not done
            slow.commit()
        assert (await asked).status_code == 200
        monkeypatch.setattr("api.completeness.SETTLES_WITHIN_S", 0)
        with psycopg.connect(database) as slow:
            put_within(slow, [event()])
            store.put(event())
            refused = await api.client.get(path, headers=headers)
        assert (refused.status_code, error(refused)[1]) == (503, "unavailable")
        assert refused.headers["retry-after"] == "1"


async def test_who_may_ask_and_for_which_site(database: str) -> None:
    put_site(database)
    put_site(database, "other.example")
    async with api_service(database) as api:
        path = "/api/v2/completeness"
        assert (await api.client.get(path)).status_code == 401
        bound = await api.key("query", site="example.com")
        answers = [
            await api.client.get(path, params=query, headers=bound)
            for query in ({}, {"site_id": "other.example"}, {"site_id": "example.com"})
        ]
        assert [answer.status_code for answer in answers] == [403, 403, 200]
        unknown = await api.client.get(
            path, params={"site_id": "nobody.example"}, headers=await api.key("query")
        )
        assert error(unknown)[1:] == ("unknown_site", "site_id")
        document = (await api.client.get("/api/openapi.json")).json()
        [parameter] = document["paths"][path]["get"]["parameters"]
        assert (parameter["name"], parameter["in"], parameter["required"]) == (
            "site_id",
            "query",
            False,
        )


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path))
    monkeypatch.setenv("MILLRACE_POSTGRES_URL", database)
    return lambda *words: CliRunner().invoke(cli, ["edge", *words], prog_name="millrace")


def test_an_edge_is_retired_and_comes_back(database: str, run: Callable[..., Result]) -> None:
    put_edge(database, "berlin", spooled_batches=3)
    result = run("retire", "berlin")
    assert result.exit_code == 0, result.output
    assert "Its spool held 3 batches" in result.output
    retired = rows(database, "select retired_at from edge")
    assert retired != [(None,)]
    assert run("retire", "berlin").exit_code == 0
    assert rows(database, "select retired_at from edge") == retired
    assert run("add", "berlin").exit_code == 0
    assert rows(database, "select retired_at from edge") == [(None,)]
    assert run("add", "berlin").exit_code == 1
    assert run("retire", "nobody").output == "Error: there is no edge 'nobody'\n"


def test_an_edge_that_is_heard_is_not_retired(database: str, run: Callable[..., Result]) -> None:
    run("add", "berlin")
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("update edge set last_heard = now()")
    result = run("retire", "berlin")
    assert (result.exit_code, "heard less than a minute ago" in result.output) == (1, True)
    assert rows(database, "select retired_at from edge") == [(None,)]


async def test_an_answer_says_how_complete_it_is(database: str) -> None:
    put_site(database)
    question = {"site_id": "example.com", "metrics": ["visitors"]}

    async def final(*ends: str) -> tuple[str | None, bool | None]:
        body = {**question, "date_range": list(ends)}
        answer = await api.client.post("/api/v2/query", json=body, headers=headers)
        meta = answer.json()["meta"]
        return meta.get("final_until"), meta.get("is_final")

    async with api_service(database) as api:
        headers = await api.key("query")
        # No edge: whoever sends does so past the ledger, and nobody can tell.
        assert await final("2024-05-13", "2024-05-13") == (None, None)
        put_edge(database, "berlin")
        put_boot(database, "berlin", 1, final_until=NOW - 2 * HOUR)
        until = text(NOW - 2 * HOUR)
        # Final at 10:00 on the 15th: an event of the 13th can have come until the end of the 14th.
        assert await final("2024-05-13", "2024-05-13") == (until, True)
        assert await final("2024-05-13", "2024-05-14") == (until, False)
        assert await final("2024-05-13T00:00:00Z", "2024-05-14T09:59:59Z") == (until, True)
        assert await final("2024-05-13T00:00:00Z", "2024-05-14T10:00:00Z") == (until, False)


async def test_an_answer_is_not_final_for_what_it_does_not_hold_yet(database: str) -> None:
    put_site(database)
    put_edge(database, "berlin")
    put_boot(database, "berlin", 1, final_until=NOW)
    async with api_service(database) as api:
        headers = await api.key("query")
        with psycopg.connect(database) as slow, psycopg.connect(database, autocommit=True) as db:
            slow.execute("select open_commit()")
            # Stored, and counted as stored, but it came with a commit that has not settled.
            db.execute("select open_commit()")
            happened = NOW - 30 * DAY
            db.execute("update commits set events = 1, first_ts = %s, last_ts = %s", [happened] * 2)
            day = ["2024-04-16", "2024-04-16"]
            body = {"site_id": "example.com", "metrics": ["visitors"], "date_range": day}
            answer = await api.client.post("/api/v2/query", json=body, headers=headers)
            meta = answer.json()["meta"]
            assert meta["final_until"] == text(happened - timedelta(minutes=5))
            assert not meta["is_final"]
            slow.rollback()
        answer = await api.client.post("/api/v2/query", json=body, headers=headers)
        assert answer.json()["meta"]["is_final"]
