"""The simple endpoints: what somebody with curl gets, and keeps."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, insert, select, text

from api.sites import put_site
from tests.integration.api_service import ApiService, api_service, error
from writer.tables import events

pytestmark = pytest.mark.anyio

SITE = "example.com"
TODAY = datetime(2024, 5, 15, 10, tzinfo=UTC)


class Reader:
    """A site in New York, whose pages are looked at, and somebody with a key of it."""

    def __init__(self, api: ApiService, site_id: int, headers: dict[str, str]) -> None:
        self._api = api
        self._site_id = site_id
        self.headers = headers
        self._count = 0

    async def look(self, page: str, at: datetime, visitor: int = 1) -> None:
        """One pageview, in a commit of its own."""
        self._count += 1
        local = at - timedelta(hours=4)
        row = {
            "site_id": self._site_id, "ts": at, "event_id": UUID(int=self._count),
            "day": local.date(), "hour": local.hour, "received_at": at, "visitor": visitor,
            "name": "pageview", "interactive": True, "page": page,
        }  # fmt: skip
        async with self._api.transaction() as db:
            row["commit_in"] = int(await db.scalar(select(func.open_commit())) or 0)
            await db.execute(insert(events), row)

    async def get(self, what: str, headers: dict[str, str] | None = None, **asked: Any) -> Any:
        """The response to a question about the site."""
        params = {"site_id": SITE, **{name.rstrip("_"): value for name, value in asked.items()}}
        both = {**self.headers, **(headers or {})}
        return await self._api.client.get(f"/v1/metrics/{what}", params=params, headers=both)

    async def change(self, statement: str) -> None:
        async with self._api.transaction() as db:
            await db.execute(text(statement))

    @property
    def client(self) -> httpx.AsyncClient:
        return self._api.client


@asynccontextmanager
async def reader(database: str) -> AsyncIterator[Reader]:
    async with api_service(database) as api:
        async with api.transaction() as db:
            site = await put_site(db, SITE, {"time_zone": "America/New_York"}, api.parts.now())
        yield Reader(api, site.site_id, await api.key("query", site=SITE))


async def test_without_a_range_it_is_the_last_thirty_days_today_included(database: str) -> None:
    async with reader(database) as site:
        await site.look("/", TODAY)
        await site.look("/", TODAY - timedelta(days=29))
        await site.look("/", TODAY - timedelta(days=30))
        found = (await site.get("pageviews")).json()
    assert (found["pageviews"], len(found["days"])) == (2, 30)
    assert found["days"][0] == {"day": "2024-04-16", "pageviews": 1}
    assert found["days"][1] == {"day": "2024-04-17", "pageviews": 0}
    assert found["from"] == "2024-04-16T00:00:00-04:00"
    assert found["to"] == "2024-05-15T23:59:59-04:00"
    assert found["meta"]["as_of"] == 3


async def test_days_are_the_sites_own_and_both_ends_count(database: str) -> None:
    async with reader(database) as site:
        await site.look("/", datetime(2024, 5, 11, 3, 59, tzinfo=UTC))
        await site.look("/", datetime(2024, 5, 11, 4, tzinfo=UTC))
        await site.look("/", datetime(2024, 5, 13, 3, 59, tzinfo=UTC))
        found = (await site.get("pageviews", from_="2024-05-11", to="2024-05-12")).json()
    assert [day["pageviews"] for day in found["days"]] == [1, 1]


async def test_a_visitor_of_two_days_is_two_unique_users(database: str) -> None:
    async with reader(database) as site:
        for ago in (0, 0, 1):
            await site.look("/", TODAY - timedelta(days=ago))
        found = (await site.get("unique-users", from_="2024-05-14", limit=1)).json()
    assert found["unique_users"] == 2
    assert found["days"] == [{"day": "2024-05-15", "unique_users": 1}]


async def test_instants_are_answered_to_the_second(database: str) -> None:
    async with reader(database) as site:
        await site.look("/", TODAY)
        await site.look("/", TODAY + timedelta(seconds=2))
        found = await site.get("pageviews", from_="2024-05-15T10:00:00Z", to="2024-05-15T10:00:01Z")
    assert found.json()["pageviews"] == 1


async def test_the_pages_looked_at_most_come_first_and_ten_of_them(database: str) -> None:
    async with reader(database) as site:
        for number in range(11):
            await site.look(f"/{number:02}", TODAY, visitor=number)
        await site.look("/10", TODAY, visitor=0)
        ten = (await site.get("top-pages")).json()["pages"]
        one = (await site.get("top-pages", limit=1)).json()["pages"]
    assert len(ten) == 10
    assert one == ten[:1] == [{"page": "/10", "pageviews": 2, "unique_users": 2}]


async def test_a_table_is_given_to_whoever_asks_for_one_and_runs_nowhere(database: str) -> None:
    async with reader(database) as site:
        await site.look('=HYPERLINK("https://evil.example")', TODAY)
        by_accept = await site.get("top-pages", {"accept": "text/csv"})
        by_format = await site.get("top-pages", {"accept": "application/json"}, format="csv")
        plain = await site.get("top-pages", {"accept": "text/csv"}, format="json")
    assert (
        by_accept.text
        == by_format.text
        == ('page,pageviews,unique_users\r\n"\'=HYPERLINK(""https://evil.example"")",1,1\r\n')
    )
    assert by_accept.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert 'filename="example.com-top-pages.csv"' in by_accept.headers["content-disposition"]
    assert plain.headers["content-type"] == "application/json"


async def test_an_answer_is_kept_by_its_client_alone_and_asked_for_again_by_its_tag(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with reader(database) as site:
        await site.look("/", TODAY)
        first = await site.get("pageviews")
        tag = {"if-none-match": f'W/"other", {first.headers["etag"]}'}
        with monkeypatch.context() as patch:
            patch.setattr("api.endpoints.metrics.answer", None)
            again = await site.get("pageviews", tag)
        other = await site.get("pageviews", {**tag, "accept": "text/csv"})
        await site.look("/", TODAY)
        later = await site.get("pageviews", tag)
    assert first.headers["cache-control"] == "private, max-age=10"
    assert first.headers["vary"] == "accept, authorization, cookie"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert other.status_code == 200
    assert (later.status_code, later.json()["pageviews"]) == (200, 2)
    assert later.headers["etag"] != first.headers["etag"]


async def test_a_restored_database_makes_another_answer_under_the_number_of_a_commit(
    database: str,
) -> None:
    async with reader(database) as site:
        await site.look("/", TODAY)
        first = await site.get("pageviews")
        await site.change("update commits set at = at + interval '1 minute'")
        again = await site.get("pageviews", {"if-none-match": first.headers["etag"]})
    assert again.status_code == 200


async def test_an_exclusion_makes_another_answer_though_nothing_was_stored(database: str) -> None:
    async with reader(database) as site:
        await site.look("/", TODAY)
        first = await site.get("pageviews")
        await site.change(
            "insert into exclusion (site_id, name, filters)"
            """ select site_id, 'ours', '[["is", "event:page", ["/"]]]' from site"""
        )
        again = await site.get("pageviews", {"if-none-match": first.headers["etag"]})
    assert again.status_code == 200


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"from_": "yesterday"}, "from"),
        ({"from_": "2024-05-15", "to": "2024-05-14"}, "from"),
        ({"from_": "2024-05-15", "to": "2024-05-15T00:00:00Z"}, "from"),
        ({"to": "soon"}, "to"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"format": "xml"}, "format"),
        ({"form": "csv"}, "form"),
        ({"limit": ["1", "2"]}, "limit"),
    ],
)
async def test_what_cannot_be_answered_names_its_field(
    database: str, asked: dict[str, Any], field: str
) -> None:
    async with reader(database) as site:
        assert error(await site.get("top-pages", **asked)) == (400, "bad_query", field)


async def test_it_is_asked_with_the_key_of_the_site_or_not_at_all(database: str) -> None:
    async with reader(database) as site:
        nobody = await site.client.get("/v1/metrics/pageviews", params={"site_id": SITE})
        nameless = await site.client.get("/v1/metrics/pageviews", headers=site.headers)
        other = await site.get("pageviews", site_id="other.example")
    assert error(nobody)[0] == 401
    assert error(nameless) == (400, "missing_field", "site_id")
    assert error(other)[0] == 403
