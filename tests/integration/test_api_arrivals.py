"""What somebody who waits for the first event is told."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec
import psycopg
import pytest

from api.arrivals import Arrivals
from tests.integration.api_service import NOW, ApiService, api_service, error
from tests.integration.live_world import SITE, Store, event

pytestmark = pytest.mark.anyio

NOTHING: dict[str, Any] = {
    "first_event_at": None,
    "stored": 0,
    "under_way": 0,
    "bots": [],
    "refused": {},
    "dropped": {},
    "quarantined": {},
    "elsewhere": {},
    "edge_heard_at": None,
}


async def _arrivals(api: ApiService, site: str = SITE) -> httpx.Response:
    return await api.client.get(f"/api/sites/{site}/arrivals", headers=await api.key("query"))


async def _site(api: ApiService) -> None:
    for key in (SITE, "other.example"):
        answer = await api.client.post(
            "/api/sites", json={"key": key}, headers=await api.key("admin")
        )
        assert answer.status_code == 201, answer.text


def count(database: str, table: str, boot: int, site: str, **outcomes: int) -> None:
    """As the writer puts them; the name of an outcome has `__` for its colon."""
    with psycopg.connect(database) as db:
        for outcome, events in outcomes.items():
            name = outcome.replace("__", ":")
            row = ("berlin", boot, site.encode(), name, site, events)
            db.execute(f"INSERT INTO {table} VALUES (%s, %s, %s, %s, %s, %s)".encode(), row)


def heard(database: str, boot: int, at: datetime) -> None:
    with psycopg.connect(database) as db:
        db.execute(
            "INSERT INTO boot (edge, boot, last_heard) VALUES ('berlin', %s, %s)", (boot, at)
        )


async def test_of_a_site_from_which_nothing_came_nothing_is_told(database: str) -> None:
    async with api_service(database) as api:
        await _site(api)
        assert (await _arrivals(api)).json() == NOTHING


async def test_each_outcome_is_told_by_its_reason_over_all_workers(database: str) -> None:
    async with api_service(database) as api:
        await _site(api)
        for boot in (1, 2):
            heard(database, boot, NOW)
            count(database, "edge_count", boot, SITE, received=9, dropped__dnt=2)
        count(database, "edge_count", 1, SITE, refused__forbidden_origin=4)
        count(database, "edge_count", 1, "other.example", received=500, dropped__gpc=1)
        count(database, "ledger_count", 1, SITE, stored=8, duplicate=1)
        count(database, "ledger_count", 2, SITE, stored=3, dropped__retention=2, quarantined=1)
        told = (await _arrivals(api)).json()
        assert told["refused"] == {"forbidden_origin": 4}
        assert told["dropped"] == {"dnt": 4, "retention": 2}
        assert (told["stored"], told["under_way"]) == (11, 3)


async def test_what_no_site_can_be_told_of_is_counted_for_a_day(database: str) -> None:
    async with api_service(database) as api:
        await _site(api)
        heard(database, 1, NOW - timedelta(hours=23))
        heard(database, 2, NOW - timedelta(hours=25))
        count(database, "edge_count", 1, "", refused__unknown_site=5, dropped__gpc=1)
        count(database, "edge_count", 2, "", refused__unknown_site=70)
        told = (await _arrivals(api)).json()
        assert told["elsewhere"] == {"dropped:gpc": 1, "refused:unknown_site": 5}
        assert told["refused"] == {}


async def test_bots_are_told_by_rule_and_are_no_first_event(database: str) -> None:
    async with api_service(database) as api:
        await _site(api)
        store = Store(database)
        store.put(event(30, bot="curl"), event(20, bot="Googlebot"), event(10, bot="curl"))
        store.put(event(5, site_id=2))
        told = (await _arrivals(api)).json()
        assert told["bots"] == [{"rule": "curl", "events": 2}, {"rule": "Googlebot", "events": 1}]
        assert told["first_event_at"] is None


async def test_the_first_event_is_the_earliest_that_counts_and_stands(database: str) -> None:
    async with api_service(database) as api:
        await _site(api)
        store = Store(database)
        gone, first = event(50), event(40)
        store.put(gone, first, event(10), event(60, bot="curl"))
        store.supersede(gone["event_id"], event(30))
        told = (await _arrivals(api)).json()
        assert datetime.fromisoformat(told["first_event_at"]) == first["ts"]


async def test_the_site_itself_tells_whether_anything_has_come(database: str) -> None:
    async with api_service(database) as api:
        await _site(api)
        headers = await api.key("query")
        site = (await api.client.get(f"/api/sites/{SITE}", headers=headers)).json()
        assert site["first_event_at"] is None
        first = event(20)
        Store(database).put(first)
        site = (await api.client.get(f"/api/sites/{SITE}", headers=headers)).json()
        assert datetime.fromisoformat(site["first_event_at"]) == first["ts"]
        assert site["key"] == SITE


async def test_an_event_that_no_question_sees_yet_is_not_the_first(database: str) -> None:
    async with api_service(database) as api:
        await _site(api)
        with psycopg.connect(database) as writing:
            writing.execute("SELECT open_commit()")
            Store(database).put(event(10))
            assert (await _arrivals(api)).json()["first_event_at"] is None
        assert (await _arrivals(api)).json()["first_event_at"] is not None


async def test_what_is_held_in_quarantine_is_told_by_reason(database: str) -> None:
    async with api_service(database) as api:
        await _site(api)
        rows: list[Any] = [
            (SITE, "bad_value", "held"),
            (SITE, "bad_value", "replayed"),
            ("other.example", "bad_value", "held"),
        ]
        with psycopg.connect(database) as db, db.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO quarantine (edge, site, reason, state, sealed, commit_no)"
                " VALUES ('berlin', %s, %s, %s, '', 1)",
                rows,
            )
        assert (await _arrivals(api)).json()["quarantined"] == {"bad_value": 1}


async def test_the_edge_that_was_heard_last_is_told(database: str) -> None:
    async with api_service(database) as api:
        await _site(api)
        store = Store(database)
        store.add_edge("berlin", 600)
        store.add_edge("paris", 5)
        told = msgspec.json.decode((await _arrivals(api)).content, type=Arrivals)
        with psycopg.connect(database) as db:
            row = db.execute("SELECT last_heard FROM edge WHERE edge = 'paris'").fetchone()
        assert row == (told.edge_heard_at,)


async def test_arrivals_are_told_to_those_who_may_ask_about_the_site(database: str) -> None:
    async with api_service(database) as api:
        await _site(api)
        assert error(await api.client.get(f"/api/sites/{SITE}/arrivals"))[0] == 401
        foreign = await api.key("query", site="other.example")
        answer = await api.client.get(f"/api/sites/{SITE}/arrivals", headers=foreign)
        assert error(answer) == (403, "forbidden", None)
        assert error(await _arrivals(api, "no.example"))[:2] == (400, "unknown_site")


async def test_an_edge_is_registered_retired_and_brought_back(database: str) -> None:
    async with api_service(database) as api:
        admin = await api.key("admin")
        body = {"edge": "berlin"}
        answer = await api.client.post("/api/edges", json=body, headers=admin)
        assert answer.status_code == 201
        assert [edge["edge"] for edge in answer.json()["edges"]] == ["berlin"]
        answer = await api.client.post("/api/edges", json=body, headers=admin)
        assert error(answer) == (409, "conflict", "edge")
        answer = await api.client.post("/api/edges/berlin/retire", headers=admin)
        assert answer.json()["edges"][0]["retired_at"] is not None
        answer = await api.client.post("/api/edges", json=body, headers=admin)
        assert answer.json()["edges"][0]["retired_at"] is None
        answer = await api.client.post("/api/edges/paris/retire", headers=admin)
        assert error(answer) == (404, "not_found", "edge")
        answer = await api.client.post("/api/edges", json={"edge": "../x"}, headers=admin)
        assert error(answer) == (400, "bad_value", "edge")


async def test_an_edge_that_is_heard_cannot_be_retired(database: str) -> None:
    async with api_service(database) as api:
        Store(database).add_edge("berlin", 1)
        answer = await api.client.post("/api/edges/berlin/retire", headers=await api.key("admin"))
        assert error(answer) == (409, "conflict", "edge")


@pytest.mark.parametrize("scope", ["query", "ingest"])
async def test_only_who_may_administer_changes_edges(database: str, scope: str) -> None:
    async with api_service(database) as api:
        key = await api.key(scope)
        for path, body in (("/api/edges", {"edge": "x"}), ("/api/edges/x/retire", {})):
            answer = await api.client.post(path, json=body, headers=key)
            assert error(answer) == (403, "forbidden", None)


async def test_what_waits_for_its_day_is_under_way(database: str) -> None:
    async with api_service(database) as api:
        await _site(api)
        count(database, "edge_count", 1, SITE, received=5)
        count(database, "ledger_count", 1, SITE, stored=3, waiting=2)
        assert (await _arrivals(api)).json()["under_way"] == 2
        count(database, "ledger_count", 2, SITE, waiting=4)
        assert (await _arrivals(api)).json()["under_way"] == 6


async def test_the_first_event_is_known_by_its_day_where_its_row_has_left(database: str) -> None:
    async with api_service(database) as api:
        await _site(api)
        with psycopg.connect(database) as db:
            db.execute(
                "INSERT INTO site_day (site_id, day, starts_at, ends_at, state)"
                " SELECT site_id, d, d, d + 1, s FROM site,"
                " (VALUES ('2024-05-01'::date, 'forgotten'), ('2024-05-02', 'file')) v (d, s)"
                " WHERE key = %s",
                (SITE,),
            )
        told = (await _arrivals(api)).json()
    assert told["first_event_at"] == "2024-05-02T00:00:00Z"
