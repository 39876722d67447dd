"""An exclusion takes its matches out of every answer, the past too, and gives them back."""

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from tests.integration.api_service import ApiService, api_service
from tests.integration.asker import NOON, SITE, Asker
from writer.rollups.step import step

pytestmark = pytest.mark.anyio

ALL = ["visitors", "visits", "pageviews", "events", "bounce_rate"]
STAFF = [["contains", "event:page", ["/admin"]]]
BY_PAGE = {"dimensions": ["event:page"], "order_by": [["event:page", "asc"]]}


class Site:
    """A site with a past: three visitors, two pages of staff."""

    def __init__(self, api: ApiService, asker: Asker, headers: dict[str, str]) -> None:
        self.api = api
        self.asker = asker
        self._headers = headers

    async def exclude(self, name: str, filters: list[Any]) -> str:
        """The address of the exclusion."""
        path = f"/api/sites/{SITE}/exclusions"
        body = {"name": name, "filters": filters}
        answer = await self.api.client.post(path, json=body, headers=self._headers)
        assert answer.status_code == 201, answer.text
        return f"{path}/{answer.json()['id']}"

    async def take_back(self, path: str) -> None:
        assert (await self.api.client.delete(path, headers=self._headers)).status_code == 204


@pytest.fixture
async def site(database: str) -> AsyncIterator[Site]:
    async with api_service(database) as api:
        headers = await api.key("query", "admin")
        made = await api.client.post("/api/sites", json={"key": SITE}, headers=headers)
        assert made.status_code == 201, made.text
        asker = Asker(api, 1, headers)
        await asker.put(
            {"at": 0, "visitor": 1, "page": "/", "country": "AT"},
            {"at": 1, "visitor": 1, "page": "/admin/users", "country": "AT"},
            {"at": 2, "visitor": 2, "page": "/admin", "country": "DE"},
            {"at": 3, "visitor": 3, "page": "/", "country": "CH"},
        )
        yield Site(api, asker, headers)


async def test_the_past_changes_and_is_as_before_once_it_is_taken_back(site: Site) -> None:
    before = await site.asker.post({"metrics": ALL, **BY_PAGE})
    assert await site.asker.ask(ALL) == [[3, 3, 4, 4, 67]]
    path = await site.exclude("staff", STAFF)
    # Who looked at a page of the staff's only is not there; who did too is measured whole.
    assert await site.asker.ask(ALL) == [[2, 2, 2, 2, 50]]
    assert await site.asker.ask(["visitors"], **BY_PAGE) == [["/", 2]]
    await site.take_back(path)
    assert await site.asker.post({"metrics": ALL, **BY_PAGE}) == before


async def test_the_answer_names_the_exclusions_in_force(site: Site) -> None:
    assert "exclusions" not in (await site.asker.post({"metrics": ALL}))["meta"]
    await site.exclude("staff", STAFF)
    await site.exclude("Austria", [["is", "visit:country", ["AT"]]])
    assert (await site.asker.post({"metrics": ALL}))["meta"]["exclusions"] == ["Austria", "staff"]
    assert await site.asker.ask(["visitors", "events"]) == [[1, 1]]


async def test_all_filters_of_one_exclusion_must_hold(site: Site) -> None:
    await site.exclude("both", [*STAFF, ["is", "visit:country", ["DE"]]])
    assert await site.asker.ask(["visitors", "events"]) == [[2, 3]]


async def test_what_has_no_visit_is_not_taken_out_by_what_is_said_of_visits(site: Site) -> None:
    await site.asker.put({"at": 9, "visitor": None, "page": "/feed"})
    await site.exclude("known", [["is_not", "visit:country", ["nowhere"]]])
    assert await site.asker.ask(["events"], **BY_PAGE) == [["/feed", 1]]


async def test_rollups_that_know_nothing_of_it_answer_no_question_meanwhile(
    site: Site, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        while step(connection):
            pass
    before = await site.asker.ask(ALL)
    assert (await site.asker.post({"metrics": ALL}))["meta"]["sources"] == ["rollups"]
    path = await site.exclude("staff", STAFF)
    assert await site.asker.ask(ALL) == [[2, 2, 2, 2, 50]]
    assert await site.asker.ask(["visitors"], **BY_PAGE) == [["/", 2]]
    await site.take_back(path)
    assert await site.asker.ask(ALL) == before == [[3, 3, 4, 4, 67]]


async def test_it_holds_for_one_number_with_curl_too_and_at_once(site: Site) -> None:
    day = NOON.date().isoformat()
    path = f"/v1/metrics/pageviews?site_id={SITE}&from={day}&to={day}"
    headers = site.asker.headers

    async def pageviews(tag: str = "") -> tuple[int, str]:
        more = {"if-none-match": tag} if tag else {}
        answer = await site.api.client.get(path, headers={**headers, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()["pageviews"], answer.headers["etag"]

    many, tag = await pageviews()
    excluded = await site.exclude("staff", STAFF)
    fewer, other = await pageviews(tag)
    assert (many, fewer) == (4, 2)
    await site.take_back(excluded)
    assert (await pageviews(other))[0] == 4


async def test_another_site_is_not_touched(site: Site) -> None:
    headers = site.asker.headers
    body = {"key": "other.example"}
    await site.api.client.post("/api/sites", json=body, headers=headers)
    path = "/api/sites/other.example/exclusions"
    everything = {"name": "all", "filters": [["contains", "event:page", ["/"]]]}
    await site.api.client.post(path, json=everything, headers=headers)
    assert await site.asker.ask(["events"]) == [[4]]


async def test_what_it_takes_out_is_told_by_name_and_day(site: Site) -> None:
    await site.asker.put({"at": 24 * 60, "visitor": 4, "page": "/admin"})
    await site.exclude("staff", STAFF)
    await site.exclude("Austria", [["is", "visit:country", ["AT"]]])
    asked = {
        "site_id": SITE,
        "date_range": ["2024-05-14", "2024-05-15"],
        "dimensions": ["kind", "reason", "time:day"],
    }
    path, headers = "/api/v2/query/not-counted", site.asker.headers
    answer = await site.api.client.post(path, json=asked, headers=headers)
    assert [[*row["dimensions"], *row["metrics"]] for row in answer.json()["results"]] == [
        ["exclusion", "Austria", "2024-05-14", 2],
        ["exclusion", "staff", "2024-05-14", 2],
        ["exclusion", "staff", "2024-05-15", 1],
    ]
