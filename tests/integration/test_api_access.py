"""Who may ask the API what."""

import asyncio
from datetime import timedelta
from hashlib import sha256

import psycopg
import pytest

from api.owners import put_owner
from tests.integration.api_service import (
    EMAIL,
    ORIGIN,
    PASSWORD,
    ApiService,
    api_service,
    error,
)

pytestmark = pytest.mark.anyio


async def _add_site(api: ApiService, key: str = "example.com") -> None:
    answer = await api.client.post("/api/sites", json={"key": key}, headers=await api.key("admin"))
    assert answer.status_code == 201, answer.text


async def test_an_owner_signs_in_and_out(database: str) -> None:
    async with api_service(database) as api:
        assert error(await api.client.get("/api/session")) == (401, "unauthenticated", None)
        await api.sign_in()
        assert (await api.client.get("/api/session")).json()["email"] == EMAIL
        assert (await api.client.get("/api/sites")).json() == {"sites": []}
        token = api.client.cookies["millrace_session"]
        assert (await api.client.delete("/api/session")).status_code == 204
        assert "millrace_session" not in api.client.cookies
        cookie = {"cookie": f"millrace_session={token}"}
        answer = await api.client.get("/api/sites", headers=cookie)
        assert error(answer) == (401, "unauthenticated", None)


async def test_the_cookie_is_kept_from_scripts_and_other_sites(database: str) -> None:
    async with api_service(database, api_url="https://stats.example") as api:
        api.client.headers["origin"] = "https://stats.example"
        async with api.transaction() as db:
            await put_owner(db, EMAIL, PASSWORD)
        answer = await api.client.post("/api/session", json={"email": EMAIL, "password": PASSWORD})
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "secure" in cookie


async def test_a_session_is_stored_as_its_digest_and_ends_in_time(database: str) -> None:
    async with api_service(database, api_session_days=2) as api:
        await api.sign_in()
        token = api.client.cookies["millrace_session"]
        with psycopg.connect(database) as db:
            stored = db.execute("select digest from session").fetchall()
        assert stored == [(sha256(token.encode()).digest(),)]
        api.time.now += timedelta(days=1, hours=23)
        assert (await api.client.get("/api/session")).status_code == 200
        api.time.now += timedelta(hours=2)
        assert (await api.client.get("/api/session")).status_code == 401


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (EMAIL, "not the password"),
        ("nobody@example.com", PASSWORD),
        (EMAIL, ""),
        ("a\0b", PASSWORD),
        (EMAIL, "x" * 5_000),
    ],
)
async def test_a_wrong_sign_in_says_not_which_part_was_wrong(
    database: str, email: str, password: str
) -> None:
    async with api_service(database) as api:
        async with api.transaction() as db:
            await put_owner(db, EMAIL, PASSWORD)
        answer = await api.client.post("/api/session", json={"email": email, "password": password})
        assert error(answer) == (401, "unauthenticated", None)


async def test_failed_sign_ins_are_limited_for_a_while(database: str) -> None:
    async with api_service(database) as api:
        await api.sign_in()
        wrong = {"email": EMAIL, "password": "not the password"}
        for _ in range(5):
            assert (await api.client.post("/api/session", json=wrong)).status_code == 401
        right = {"email": EMAIL, "password": PASSWORD}
        answer = await api.client.post("/api/session", json=right)
        assert error(answer) == (429, "rate_limited", None)
        assert 0 < int(answer.headers["retry-after"]) <= 300
        api.time.now += timedelta(seconds=301)
        assert (await api.client.post("/api/session", json=right)).status_code == 200


async def test_many_sign_ins_at_once_are_limited_like_one_after_another(database: str) -> None:
    async with api_service(database) as api:
        wrong = {"email": EMAIL, "password": "not the password"}
        tries = (api.client.post("/api/session", json=wrong) for _ in range(12))
        statuses = sorted([answer.status_code for answer in await asyncio.gather(*tries)])
        assert statuses == [401] * 5 + [429] * 7


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null"])
async def test_another_sites_page_cannot_act_with_the_cookie(
    database: str, origin: str | None
) -> None:
    async with api_service(database) as api:
        await api.sign_in()
        del api.client.headers["origin"]
        headers = {"origin": origin} if origin else {}
        answer = await api.client.post("/api/sites", json={"key": "a.example"}, headers=headers)
        assert error(answer) == (403, "forbidden_origin", None)
        answer = await api.client.delete("/api/session", headers=headers)
        assert error(answer) == (403, "forbidden_origin", None)


async def test_a_key_needs_no_origin_and_no_cookie(database: str) -> None:
    async with api_service(database) as api:
        await _add_site(api)
        answer = await api.client.get("/api/sites", headers=await api.key("query"))
        assert [site["key"] for site in answer.json()["sites"]] == ["example.com"]


@pytest.mark.parametrize("scope", ["ingest", "import"])
async def test_a_key_does_only_what_it_was_made_for(database: str, scope: str) -> None:
    async with api_service(database) as api:
        answer = await api.client.get("/api/sites", headers=await api.key(scope))
        assert error(answer) == (403, "forbidden", None)
        answer = await api.client.post(
            "/api/sites", json={"key": "a.example"}, headers=await api.key("query")
        )
        assert error(answer) == (403, "forbidden", None)


@pytest.mark.parametrize("authorization", ["Bearer nonsense", "Basic abc", "Bearer", "Bearer  "])
async def test_a_key_that_does_not_work_is_refused_even_beside_a_cookie(
    database: str, authorization: str
) -> None:
    async with api_service(database) as api:
        await api.sign_in()
        answer = await api.client.get("/api/sites", headers={"authorization": authorization})
        assert error(answer) == (401, "unauthenticated", None)


async def test_a_key_is_shown_once_stored_hashed_and_revoked(database: str) -> None:
    async with api_service(database) as api:
        admin = await api.key("admin")
        made = await api.client.post(
            "/api/keys", json={"scopes": ["query"], "label": "ci"}, headers=admin
        )
        assert made.status_code == 201
        key, key_id = made.json()["key"], made.json()["key_id"]
        listed = await api.client.get("/api/keys", headers=admin)
        assert key not in listed.text
        assert listed.json()["keys"][-1]["label"] == "ci"
        with psycopg.connect(database) as db:
            row = db.execute("select digest from api_key where key_id = %s", (key_id,)).fetchone()
        assert row == (sha256(key.encode()).digest(),)
        bearer = {"authorization": f"Bearer {key}"}
        assert (await api.client.get("/api/sites", headers=bearer)).status_code == 200
        answer = await api.client.delete(f"/api/keys/{key_id}", headers=admin)
        assert answer.status_code == 204
        answer = await api.client.get("/api/sites", headers=bearer)
        assert error(answer) == (401, "unauthenticated", None)
        answer = await api.client.delete(f"/api/keys/{key_id}", headers=admin)
        assert error(answer) == (404, "not_found", None)


@pytest.mark.parametrize("key_id", ["99", "abc", "9" * 40, "-1", "²"])
async def test_a_key_that_is_not_there_cannot_be_revoked(database: str, key_id: str) -> None:
    async with api_service(database) as api:
        answer = await api.client.delete(f"/api/keys/{key_id}", headers=await api.key("admin"))
        assert error(answer) == (404, "not_found", None)


async def test_a_key_bound_to_a_site_sees_that_site_alone(database: str) -> None:
    async with api_service(database) as api:
        await _add_site(api, "one.example")
        await _add_site(api, "two.example")
        bound = await api.key("query", "admin", site="one.example")
        listed = await api.client.get("/api/sites", headers=bound)
        assert [site["key"] for site in listed.json()["sites"]] == ["one.example"]
        for site in ("two.example", "three.example"):
            question = {"site_id": site, "metrics": ["visitors"], "date_range": "day"}
            answer = await api.client.post("/api/v2/query", json=question, headers=bound)
            assert error(answer) == (403, "forbidden", None)
        answer = await api.client.patch("/api/sites/two.example", json={}, headers=bound)
        assert error(answer) == (403, "forbidden", None)
        assert (await api.client.get("/api/keys", headers=bound)).status_code == 403
        assert (await api.client.get("/api/edges", headers=bound)).status_code == 403


async def test_a_ticket_is_stored_as_its_digest_for_a_minute(database: str) -> None:
    async with api_service(database) as api:
        await _add_site(api)
        answer = await api.client.post(
            "/api/live/ticket", json={"site": "example.com"}, headers=await api.key("query")
        )
        ticket = answer.json()["ticket"]
        assert answer.json()["url"] == f"ws://live.test/live?site=example.com&ticket={ticket}"
        with psycopg.connect(database) as db:
            rows = db.execute("select digest, expires_at from live_ticket").fetchall()
        assert rows == [(sha256(ticket.encode()).digest(), api.time.now + timedelta(seconds=60))]


async def test_a_ticket_for_an_unknown_site_is_refused(database: str) -> None:
    async with api_service(database) as api:
        answer = await api.client.post(
            "/api/live/ticket", json={"site": "nowhere"}, headers=await api.key("query")
        )
        assert error(answer) == (400, "unknown_site", "site_id")


async def test_the_dashboards_origin_is_that_of_its_setting(database: str) -> None:
    async with api_service(database, api_url=f"{ORIGIN}/some/path") as api:
        await api.sign_in()
        answer = await api.client.post("/api/sites", json={"key": "a.example"})
        assert answer.status_code == 201
