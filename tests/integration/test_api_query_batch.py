"""Questions asked together: as of one commit, each choice of events made once."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy.event import listen, remove

from tests.integration.api_service import error
from tests.integration.asker import SITE, Asker, asker

pytestmark = pytest.mark.anyio

DAY = ["2024-05-14", "2024-05-14"]
FILTERED = {"filters": [["is", "visit:country", ["DE"]], ["contains", "event:page", ["/"]]]}
PANELS: list[dict[str, Any]] = [
    {"metrics": ["visitors", "visits", "bounce_rate", "visit_duration", "views_per_visit"]},
    {"metrics": ["visitors", "pageviews"], "dimensions": ["event:page"]},
    {"metrics": ["visits"], "dimensions": ["event:page"], "pagination": {"limit": 1, "offset": 1}},
    {"metrics": ["visitors"], "dimensions": ["visit:source", "visit:country"]},
    {"metrics": ["visitors"], "dimensions": ["time:hour"], "include": {"time_labels": True}},
    {"metrics": ["events"], "dimensions": ["time:day", "event:name"]},
    {"metrics": ["visitors"], "dimensions": ["time:month"], "include": {"total_rows": True}},
    {"metrics": ["percentage"], "dimensions": ["visit:exit_page"]},
    {"metrics": ["time_on_page", "scroll_depth"], "dimensions": ["event:page"]},
    {"metrics": ["bounce_rate"], "dimensions": ["visit:source"],
     "order_by": [["bounce_rate", "asc"]]},
    {"metrics": ["events"], "dimensions": ["event:page"], "pagination": {"limit": 5, "offset": 50},
     "include": {"total_rows": True}},
]  # fmt: skip


@asynccontextmanager
async def a_busy_hour(database: str) -> AsyncIterator[Asker]:
    async with asker(database) as site:
        for visitor in range(1, 7):
            country = "DE" if visitor % 2 else "FR"
            about = {"visitor": visitor, "country": country, "source": f"s{visitor % 3}"}
            await site.put(
                {"at": visitor, "page": "/", **about},
                {"at": 2 * visitor, "page": f"/{visitor % 3}", **about},
                {"at": 2 * visitor + 1, "name": "signup", "page": "/", **about},
                {"at": 70, "page": "/late", **about},
                {"at": 71, "name": "engagement", "page": "/late", "engaged_ms": 900 * visitor,
                 "scroll_pct": 10 * visitor, **about},
            )  # fmt: skip
        yield site


@contextmanager
def watched(site: Asker) -> Iterator[list[str]]:
    """Every statement sent to the database meanwhile."""
    statements: list[str] = []

    def note(_db: object, _cursor: object, text: str, *_: object) -> None:
        statements.append(text)

    engine = site.api.parts.pool.sync_engine
    listen(engine, "before_cursor_execute", note)
    yield statements
    remove(engine, "before_cursor_execute", note)


async def ask_together(site: Asker, *questions: dict[str, Any]) -> httpx.Response:
    whole = [{"site_id": SITE, "date_range": DAY, **question} for question in questions]
    answer: httpx.Response = await site.send("/api/v2/query/batch", {"queries": whole})
    return answer


@pytest.mark.parametrize("more", [{}, FILTERED])
async def test_panels_asked_together_are_those_asked_one_by_one(
    database: str, more: dict[str, Any]
) -> None:
    async with a_busy_hour(database) as site:
        questions = [{**panel, **more} for panel in PANELS]
        together = (await ask_together(site, *questions)).json()["answers"]
        assert together == [await site.post(question) for question in questions]
        assert together[1]["results"]


async def test_what_is_chosen_alike_is_chosen_once(database: str) -> None:
    async with a_busy_hour(database) as site:
        questions = [{**panel, **FILTERED} for panel in PANELS]
        with watched(site) as statements:
            answers = (await ask_together(site, *questions)).json()["answers"]
        assert all("results" in each for each in answers)
        scans = [text for text in statements if "WITH counted AS" in text]
        # One for all, and one to count the rows of the page that lies beyond its end.
        assert len(scans) == 2, scans


async def test_a_question_that_cannot_be_answered_does_not_keep_the_others_from_it(
    database: str,
) -> None:
    async with a_busy_hour(database) as site:
        sound = {"metrics": ["visitors"]}
        unknown = {"metrics": ["happiness"]}
        elsewhere = {"metrics": ["visitors"], "site_id": "nowhere.example"}
        answers = (await ask_together(site, unknown, sound, elsewhere)).json()["answers"]
        assert answers[0]["error"]["field"] == "metrics[0]"
        assert answers[1]["results"] == [{"metrics": [6], "dimensions": []}]
        assert set(answers[0]) == set(answers[2]) == {"error"}
        assert answers[2]["error"]["code"] == "unknown_site"


async def test_too_many_labels_are_one_questions_own_fault(database: str) -> None:
    hours = {
        "metrics": ["events"],
        "dimensions": ["time:hour"],
        "date_range": ["2000-01-01", "2020-01-01"],
        "include": {"time_labels": True},
    }
    async with a_busy_hour(database) as site:
        answers = (await ask_together(site, hours, {"metrics": ["events"]})).json()["answers"]
    assert answers[0]["error"]["field"] == "include.time_labels"
    assert answers[1]["results"] == [{"metrics": [24], "dimensions": []}]


async def test_a_question_that_is_none_is_named_by_its_place(database: str) -> None:
    async with a_busy_hour(database) as site:
        refused = await ask_together(site, {"metrics": ["visitors"]}, {"metrics": "visitors"})
        assert error(refused) == (400, "bad_query", "queries[1].metrics")
        for count in (0, 21):
            refused = await ask_together(site, *([{"metrics": ["visitors"]}] * count))
            assert error(refused) == (400, "bad_query", "queries")


async def test_too_many_groups_are_one_questions_own_fault(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.query.sums.MAX_GROUPS", 2)
    few = {"metrics": ["visitors"]}
    many = {"metrics": ["bounce_rate", "visitors"], "dimensions": ["event:page"]}
    async with a_busy_hour(database) as site:
        answers = (await ask_together(site, few, many, few)).json()["answers"]
    assert answers[1]["error"]["field"] == "dimensions"
    assert answers[0]["results"] == [{"metrics": [6], "dimensions": []}]
    assert answers[2]["results"] == answers[0]["results"]
