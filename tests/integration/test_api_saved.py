"""Goals, segments and exclusions: saved by name, for one site, by who may."""

from typing import Any

import httpx
import pytest

from api.saved import MAX_SAVED
from tests.integration.api_service import ApiService, api_service, error

pytestmark = pytest.mark.anyio
SITE = "example.com"
KINDS = pytest.mark.parametrize("kind", ["goals", "segments", "exclusions"])
SIGNUP = [["is", "event:name", ["Signup"]]]


async def ready(api: ApiService, *sites: str) -> None:
    """Sites, and an owner signed in."""
    await api.sign_in()
    for site in sites or (SITE,):
        answer = await api.client.post("/api/sites", json={"key": site})
        assert answer.status_code == 201, answer.text


async def save(
    api: ApiService, kind: str, name: str = "mine", filters: Any = SIGNUP, site: str = SITE
) -> httpx.Response:
    body = {"name": name, "filters": filters}
    return await api.client.post(f"/api/sites/{site}/{kind}", json=body)


async def names(api: ApiService, kind: str, site: str = SITE) -> list[str]:
    answer = await api.client.get(f"/api/sites/{site}/{kind}")
    return [saved["name"] for saved in answer.json()["saved"]]


@KINDS
async def test_what_is_saved_is_listed_by_name_changed_and_removed(
    database: str, kind: str
) -> None:
    async with api_service(database) as api:
        await ready(api)
        for name in ("zebra", "ant", "Bee"):
            answer = await save(api, kind, name)
            assert answer.status_code == 201, answer.text
        assert answer.json()["filters"] == SIGNUP
        assert await names(api, kind) == ["Bee", "ant", "zebra"]
        path = f"/api/sites/{SITE}/{kind}/{answer.json()['id']}"
        changed = await api.client.patch(path, json={"name": "wasp"})
        assert (changed.json()["name"], changed.json()["filters"]) == ("wasp", SIGNUP)
        other = [["is", "event:page", ["/done"]]]
        changed = await api.client.patch(path, json={"filters": other})
        assert (changed.json()["name"], changed.json()["filters"]) == ("wasp", other)
        nothing = await api.client.patch(path, json={"filters": []})
        assert error(nothing) == (400, "bad_query", "filters")
        assert (await api.client.delete(path)).status_code == 204
        assert await names(api, kind) == ["ant", "zebra"]
        assert error(await api.client.delete(path)) == (404, "not_found", None)
        assert error(await api.client.patch(path, json={"name": "x"})) == (404, "not_found", None)


@KINDS
async def test_a_name_stands_once_for_a_site_and_may_stand_for_another(
    database: str, kind: str
) -> None:
    async with api_service(database) as api:
        await ready(api, SITE, "other.example")
        assert (await save(api, kind)).status_code == 201
        assert error(await save(api, kind)) == (409, "conflict", "name")
        assert (await save(api, kind, site="other.example")).status_code == 201
        second = await save(api, kind, "second")
        path = f"/api/sites/{SITE}/{kind}/{second.json()['id']}"
        assert error(await api.client.patch(path, json={"name": "mine"}))[:2] == (409, "conflict")
        elsewhere = path.replace(SITE, "other.example")
        assert (await api.client.delete(elsewhere)).status_code == 404
        assert await names(api, kind) == ["mine", "second"]


@KINDS
@pytest.mark.parametrize(
    ("name", "filters", "code", "field"),
    [
        ("", SIGNUP, "bad_value", "name"),
        ("a\0b", SIGNUP, "bad_value", "name"),
        ("é" * 101, SIGNUP, "too_long", "name"),
        ("x", [], "bad_query", "filters"),
        ("x", [["is", "event:nonsense", ["a"]]], "bad_query", "filters[0][1]"),
        ("x", [["resembles", "event:name", ["a"]]], "bad_query", "filters[0][0]"),
        ("x", [["is", "event:name", []]], "bad_query", "filters[0][2]"),
    ],
)
async def test_what_could_not_be_asked_is_not_saved(
    database: str, kind: str, name: str, filters: Any, code: str, field: str
) -> None:
    async with api_service(database) as api:
        await ready(api)
        assert error(await save(api, kind, name, filters)) == (400, code, field)
        assert await names(api, kind) == []


@pytest.mark.parametrize("kind", ["goals", "exclusions"])
async def test_a_goal_or_exclusion_names_no_goal_and_no_segment(database: str, kind: str) -> None:
    async with api_service(database) as api:
        await ready(api)
        for saved in (["is", "event:goal", ["mine"]], ["is", "segment", [1]]):
            assert error(await save(api, kind, "x", [saved]))[:2] == (400, "bad_query")


async def test_a_key_for_queries_reads_and_one_for_administration_writes(database: str) -> None:
    async with api_service(database) as api:
        await ready(api, SITE, "other.example")
        api.client.headers.clear()
        api.client.cookies.clear()
        reader = await api.key("query", site=SITE)
        keeper = await api.key("admin", site=SITE)
        stranger = await api.key("admin", site="other.example")
        path, body = f"/api/sites/{SITE}/goals", {"name": "x", "filters": SIGNUP}
        assert (await api.client.get(path, headers=reader)).status_code == 200
        assert error(await api.client.post(path, json=body, headers=reader))[0] == 403
        assert (await api.client.post(path, json=body, headers=keeper)).status_code == 201
        assert error(await api.client.post(path, json=body, headers=stranger))[0] == 403
        assert error(await api.client.get(path, headers=stranger))[0] == 403
        assert (await api.client.get(path)).status_code == 401


async def test_a_site_saves_no_more_than_a_hundred_of_a_kind(database: str) -> None:
    async with api_service(database) as api:
        await ready(api)
        for number in range(MAX_SAVED):
            assert (await save(api, "segments", str(number))).status_code == 201
        assert error(await save(api, "segments", "more")) == (400, "too_many", None)
        assert (await save(api, "goals", "first")).status_code == 201
