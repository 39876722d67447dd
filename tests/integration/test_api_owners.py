"""Owners who let others sign in, and set new passwords."""

import httpx
import pytest

from tests.integration.api_service import EMAIL, ORIGIN, PASSWORD, ApiService, api_service, error

pytestmark = pytest.mark.anyio

OTHER, FRESH = "other@example.com", "another long password"


async def _sign_in(api: ApiService, email: str, password: str) -> httpx.Response:
    """In a browser of its own."""
    transport = api.client._transport
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        return await client.post("/api/session", json={"email": email, "password": password})


async def _add(api: ApiService, email: str = OTHER, password: str = PASSWORD) -> httpx.Response:
    return await api.client.post("/api/owners", json={"email": email, "password": password})


async def _change(api: ApiService, email: str, password: str, own: str) -> httpx.Response:
    body = {"email": email, "password": password, "own_password": own}
    return await api.client.post("/api/owners/password", json=body)


async def test_an_owner_lets_another_sign_in(database: str) -> None:
    async with api_service(database) as api:
        await api.sign_in()
        answer = await _add(api)
        assert answer.status_code == 201, answer.text
        assert [owner["email"] for owner in answer.json()["owners"]] == [OTHER, EMAIL]
        assert set(answer.json()["owners"][0]) == {"email", "created_at"}
        assert (await _sign_in(api, OTHER, PASSWORD)).status_code == 200
        assert error(await _add(api)) == (409, "conflict", "email")
        assert error(await _add(api, "none", PASSWORD)) == (400, "bad_value", "email")
        assert error(await _add(api, "c@example.com", "short")) == (400, "bad_value", "password")


async def test_ones_own_new_password_ends_every_other_sign_in(database: str) -> None:
    async with api_service(database) as api:
        await api.sign_in()
        before = api.client.cookies["millrace_session"]
        answer = await _change(api, EMAIL.upper(), FRESH, PASSWORD)
        assert answer.status_code == 200, answer.text
        assert (await api.client.get("/api/session")).json()["email"] == EMAIL
        elsewhere = {"cookie": f"millrace_session={before}"}
        async with httpx.AsyncClient(transport=api.client._transport, base_url=ORIGIN) as client:
            assert (await client.get("/api/session", headers=elsewhere)).status_code == 401
        assert (await _sign_in(api, EMAIL, PASSWORD)).status_code == 401
        assert (await _sign_in(api, EMAIL, FRESH)).status_code == 200


async def test_anothers_new_password_leaves_ones_own_sign_in(database: str) -> None:
    async with api_service(database) as api:
        await api.sign_in()
        await _add(api)
        assert (await _change(api, OTHER, FRESH, PASSWORD)).json()["email"] == EMAIL
        assert (await api.client.get("/api/session")).status_code == 200
        assert (await _sign_in(api, OTHER, FRESH)).status_code == 200
        answer = await _change(api, "nobody@example.com", FRESH, PASSWORD)
        assert error(answer)[:2] == (404, "not_found")


async def test_a_browser_left_open_sets_no_password_and_guesses_none(database: str) -> None:
    async with api_service(database) as api:
        await api.sign_in()
        for _ in range(5):
            answer = await _change(api, EMAIL, FRESH, "not the password")
            assert error(answer) == (400, "bad_value", "own_password")
        assert error(await _change(api, EMAIL, FRESH, PASSWORD)) == (429, "rate_limited", None)
        assert (await api.client.get("/api/session")).status_code == 200


async def test_no_key_lets_anybody_sign_in(database: str) -> None:
    async with api_service(database) as api:
        admin = await api.key("admin")
        for path, body in (
            ("/api/owners", {"email": OTHER, "password": PASSWORD}),
            (
                "/api/owners/password",
                {"email": EMAIL, "password": FRESH, "own_password": PASSWORD},
            ),
        ):
            answer = await api.client.post(path, json=body, headers=admin)
            assert error(answer) == (403, "forbidden", None)
        answer = await api.client.get("/api/owners", headers=admin)
        assert error(answer) == (403, "forbidden", None)
        assert error(await api.client.get("/api/owners")) == (401, "unauthenticated", None)


async def test_another_sites_page_cannot_add_an_owner(database: str) -> None:
    async with api_service(database) as api:
        await api.sign_in()
        api.client.headers["origin"] = "https://evil.example"
        assert error(await _add(api)) == (403, "forbidden_origin", None)
