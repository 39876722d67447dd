"""Links that sign in once, and what a page is told before anybody can."""

import asyncio
from datetime import timedelta
from hashlib import sha256

import psycopg
import pytest

from api.owners import put_owner, reset_password
from api.sign_in_links import put_sign_in_link, sign_in_address
from shared.errors import Refusal
from shared.program import PROGRAM
from tests.integration.api_service import (
    EMAIL,
    ORIGIN,
    PASSWORD,
    ApiService,
    api_service,
    error,
)

pytestmark = pytest.mark.anyio

LASTS = timedelta(minutes=15)


async def _link(api: ApiService) -> str:
    """The token of a link for the owner, who is there by now."""
    async with api.transaction() as db:
        await put_owner(db, EMAIL, PASSWORD)
        return await put_sign_in_link(db, EMAIL, api.parts.now(), LASTS)


async def test_a_link_signs_in_once(database: str) -> None:
    async with api_service(database) as api:
        token = await _link(api)
        answer = await api.client.post("/api/session/link", json={"token": token})
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"email": EMAIL, "program": PROGRAM}
        assert "httponly" in answer.headers["set-cookie"].lower()
        assert (await api.client.get("/api/session")).json()["email"] == EMAIL
        api.client.cookies.clear()
        answer = await api.client.post("/api/session/link", json={"token": token})
        assert error(answer) == (401, "unauthenticated", "token")
        assert "set-cookie" not in answer.headers


async def test_of_many_who_come_with_one_link_at_once_one_is_let_in(database: str) -> None:
    async with api_service(database) as api:
        token = await _link(api)
        tries = (api.client.post("/api/session/link", json={"token": token}) for _ in range(6))
        answers = await asyncio.gather(*tries)
        # Those who come after the first carry its cookie, and no Origin.
        assert [answer.status_code for answer in answers].count(200) == 1
        with psycopg.connect(database) as db:
            assert db.execute("select count(*) from session").fetchone() == (1,)


async def test_a_link_works_for_its_minutes_only(database: str) -> None:
    async with api_service(database) as api:
        token = await _link(api)
        api.time.now += LASTS
        answer = await api.client.post("/api/session/link", json={"token": token})
        assert error(answer) == (401, "unauthenticated", "token")
        with psycopg.connect(database) as db:
            assert db.execute("select count(*) from sign_in_link").fetchone() == (0,)


async def test_a_link_is_stored_as_its_digest_and_old_ones_are_swept_out(database: str) -> None:
    async with api_service(database) as api:
        await _link(api)
        api.time.now += LASTS
        async with api.transaction() as db:
            token = await put_sign_in_link(db, EMAIL, api.parts.now(), LASTS)
        with psycopg.connect(database) as connection:
            stored = connection.execute("select digest from sign_in_link").fetchall()
        assert stored == [(sha256(token.encode()).digest(),)]


async def test_a_new_password_makes_earlier_links_useless(database: str) -> None:
    async with api_service(database) as api:
        token = await _link(api)
        async with api.transaction() as db:
            await reset_password(db, EMAIL, "another long password")
        answer = await api.client.post("/api/session/link", json={"token": token})
        assert error(answer) == (401, "unauthenticated", "token")


@pytest.mark.parametrize("token", ["", "x", "a\0b", "\ud800", "' OR 1=1 --", "x" * 60_000])
async def test_what_is_no_link_signs_nobody_in(database: str, token: str) -> None:
    async with api_service(database) as api:
        unused = await _link(api)
        body = b'{"token": "' + token.encode("utf-8", "replace").replace(b"\0", b"\\u0000") + b'"}'
        headers = {"content-type": "application/json"}
        answer = await api.client.post("/api/session/link", content=body, headers=headers)
        assert error(answer) == (401, "unauthenticated", "token")
        answer = await api.client.post("/api/session/link", json={"token": unused})
        assert answer.status_code == 200


@pytest.mark.parametrize("body", [{}, {"token": None}, {"token": "x", "email": EMAIL}, []])
async def test_a_body_that_is_no_link_is_a_fault(database: str, body: object) -> None:
    async with api_service(database) as api:
        answer = await api.client.post("/api/session/link", json=body)
        assert answer.status_code == 400


async def test_another_sites_page_cannot_use_a_link_up(database: str) -> None:
    async with api_service(database) as api:
        token = await _link(api)
        body, foreign = {"token": token}, {"origin": "https://evil.example"}
        answer = await api.client.post("/api/session/link", json=body, headers=foreign)
        assert error(answer) == (403, "forbidden_origin", None)
        own = {"origin": ORIGIN}
        answer = await api.client.post("/api/session/link", json=body, headers=own)
        assert answer.status_code == 200


async def test_nobody_gets_a_link_who_is_no_owner(database: str) -> None:
    async with api_service(database) as api:
        with pytest.raises(Refusal, match="there is no owner"):
            async with api.transaction() as db:
                await put_sign_in_link(db, "nobody@example.com", api.parts.now(), LASTS)


def test_the_token_stands_where_no_server_and_no_log_sees_it() -> None:
    assert sign_in_address("http://127.0.0.1:4003/", "t") == "http://127.0.0.1:4003/login#token=t"


async def test_before_there_is_an_owner_anyone_is_told_how_to_add_one(database: str) -> None:
    async with api_service(database) as api:
        answer = await api.client.get("/api/session")
        assert error(answer) == (401, "unauthenticated", None)
        assert answer.json()["has_owner"] is False
        assert answer.json()["command"] == f"{PROGRAM} owner add you@example.com"


async def test_once_there_is_an_owner_strangers_learn_that_and_nothing_else(database: str) -> None:
    async with api_service(database) as api:
        await _link(api)
        answer = await api.client.get("/api/session")
        assert error(answer) == (401, "unauthenticated", None)
        assert set(answer.json()) == {"error", "has_owner", "program"}
        assert answer.json()["has_owner"] is True
