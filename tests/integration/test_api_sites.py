"""Sites, and settings with their history."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from api.edges import put_edge
from tests.integration.api_service import NOW, api_service, error

pytestmark = pytest.mark.anyio


async def test_a_site_is_added_with_its_settings_and_its_snippet(database: str) -> None:
    async with api_service(database) as api:
        admin = await api.key("admin")
        settings = {"time_zone": "Europe/Berlin", "props": ["plan"]}
        answer = await api.client.post(
            "/api/sites", json={"key": "example.com", "settings": settings}, headers=admin
        )
        assert answer.status_code == 201
        site = answer.json()
        assert site["settings"]["time_zone"] == "Europe/Berlin"
        assert site["settings"]["props"] == ["plan"]
        assert site["settings"]["honour_dnt"] is True
        expected = '<script defer src="http://edge.test/t.js" data-site="example.com"></script>'
        assert site["snippet"] == expected
        found = await api.client.get("/api/sites/example.com", headers=admin)
        assert found.json() == {**site, "first_event_at": None}


async def test_the_first_settings_hold_for_imported_days_before_the_site(database: str) -> None:
    async with api_service(database) as api:
        await api.client.post(
            "/api/sites",
            json={"key": "example.com", "settings": {"time_zone": "Asia/Tokyo"}},
            headers=await api.key("admin"),
        )
        with psycopg.connect(database) as db:
            row = db.execute("select valid_from, value from site_setting").fetchone()
        assert row == (datetime(1970, 1, 1, tzinfo=UTC), "Asia/Tokyo")


async def test_a_key_in_use_is_a_conflict(database: str) -> None:
    async with api_service(database) as api:
        admin = await api.key("admin")
        await api.client.post("/api/sites", json={"key": "example.com"}, headers=admin)
        answer = await api.client.post("/api/sites", json={"key": "example.com"}, headers=admin)
        assert error(answer) == (409, "conflict", "key")


@pytest.mark.parametrize(
    "key",
    ["", "Example.com", "https://example.com", "a b", "a/b", "a\0b", "a?b", "a\u2028b", "\u00a0"],
)
async def test_a_key_that_beacons_cannot_send_is_refused(database: str, key: str) -> None:
    async with api_service(database) as api:
        answer = await api.client.post(
            "/api/sites", json={"key": key}, headers=await api.key("admin")
        )
        assert error(answer) == (400, "bad_value", "key")


@pytest.mark.parametrize(
    ("settings", "code", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "bad_value", "time_zone"),
        ({"time_zone": "../etc/passwd"}, "bad_value", "time_zone"),
        ({"time_zone": 7}, "wrong_type", "time_zone"),
        ({"origins": ["example.com"]}, "bad_value", "origins"),
        ({"origins": ["https://a.example/path"]}, "bad_value", "origins"),
        ({"origins": ["https://[::1"]}, "bad_value", "origins"),
        ({"excluded": ["10.0.0.1/8"]}, "bad_value", "excluded"),
        ({"excluded": "10.0.0.0/8"}, "wrong_type", "excluded"),
        ({"props": [""]}, "bad_value", "props"),
        ({"props": ["a\0"]}, "bad_value", "props"),
        ({"props": ["x"] * 1_001}, "too_many", "props"),
        ({"keep_days": 0}, "out_of_range", "keep_days"),
        ({"rows_in_database_days": 7}, "out_of_range", "rows_in_database_days"),
        ({"keep_rollups_days": 100_001}, "out_of_range", "keep_rollups_days"),
        ({"events_per_s": 10**9}, "out_of_range", "events_per_s"),
        ({"honour_dnt": "yes"}, "wrong_type", "honour_dnt"),
        ({"colour": "red"}, "bad_value", "colour"),
    ],
)
async def test_a_faulty_setting_is_named(
    database: str, settings: dict[str, Any], code: str, field: str
) -> None:
    async with api_service(database) as api:
        admin = await api.key("admin")
        await api.client.post("/api/sites", json={"key": "example.com"}, headers=admin)
        answer = await api.client.patch("/api/sites/example.com", json=settings, headers=admin)
        assert error(answer) == (400, code, field)
        new = {"key": "other.example", "settings": settings}
        answer = await api.client.post("/api/sites", json=new, headers=admin)
        assert error(answer) == (400, code, field)


async def test_a_changed_setting_holds_at_once_and_keeps_its_history(database: str) -> None:
    async with api_service(database) as api:
        admin = await api.key("admin")
        new = {"key": "example.com", "settings": {"keep_days": 30}}
        await api.client.post("/api/sites", json=new, headers=admin)
        answer = await api.client.patch(
            "/api/sites/example.com", json={"keep_days": 10}, headers=admin
        )
        assert answer.json()["settings"]["keep_days"] == 10
        with psycopg.connect(database) as db:
            rows = db.execute(
                "select value, valid_from from site_setting where name = 'keep_days' order by 2"
            ).fetchall()
        assert rows == [(30, datetime(1970, 1, 1, tzinfo=UTC)), (10, NOW)]


async def test_a_new_time_zone_holds_from_a_later_midnight_of_its_own(database: str) -> None:
    async with api_service(database) as api:
        admin = await api.key("admin")
        await api.client.post("/api/sites", json={"key": "example.com"}, headers=admin)
        answer = await api.client.patch(
            "/api/sites/example.com", json={"time_zone": "Asia/Kathmandu"}, headers=admin
        )
        site = answer.json()
        assert site["settings"]["time_zone"] == "UTC"
        upcoming = {
            "name": "time_zone",
            "value": "Asia/Kathmandu",
            "valid_from": "2024-05-15T18:15:00Z",
        }
        assert site["upcoming"] == [upcoming]
        api.time.now = datetime(2024, 5, 15, 18, 15, tzinfo=UTC)
        answer = await api.client.get("/api/sites/example.com", headers=admin)
        assert answer.json()["settings"]["time_zone"] == "Asia/Kathmandu"
        assert answer.json()["upcoming"] == []


async def test_changing_back_before_that_midnight_changes_nothing(database: str) -> None:
    async with api_service(database) as api:
        admin = await api.key("admin")
        await api.client.post("/api/sites", json={"key": "example.com"}, headers=admin)
        for zone in ("Asia/Tokyo", "UTC"):
            answer = await api.client.patch(
                "/api/sites/example.com", json={"time_zone": zone}, headers=admin
            )
        assert answer.json()["upcoming"] == []
        assert answer.json()["settings"]["time_zone"] == "UTC"


@pytest.mark.parametrize("key", ["nowhere", "a%00b", "%ff"])
async def test_an_unknown_site_is_not_found(database: str, key: str) -> None:
    async with api_service(database) as api:
        admin = await api.key("admin")
        answer = await api.client.get(f"/api/sites/{key}", headers=admin)
        assert error(answer) == (404, "not_found", None)


async def test_a_change_makes_the_edges_get_a_new_snapshot(database: str) -> None:
    async with api_service(database) as api:
        versions: list[int] = []
        with psycopg.connect(database, autocommit=True) as db:
            for zone in ("UTC", "Asia/Tokyo"):
                new = {"key": f"{len(versions)}.example", "settings": {"time_zone": zone}}
                await api.client.post("/api/sites", json=new, headers=await api.key("admin"))
                row = db.execute("select version from snapshot_version").fetchone()
                assert row is not None
                versions.append(row[0])
        assert versions[0] < versions[1]


async def test_edges_are_listed_by_name(database: str) -> None:
    async with api_service(database) as api:
        async with api.transaction() as db:
            await put_edge(db, "paris")
            await put_edge(db, "berlin")
        answer = await api.client.get("/api/edges", headers=await api.key("admin"))
        assert [edge["edge"] for edge in answer.json()["edges"]] == ["berlin", "paris"]
