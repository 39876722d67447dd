"""Stories that say what time_on_page and scroll_depth are, worked out by hand."""

from typing import Any

import pytest

from tests.integration.asker import asker

pytestmark = pytest.mark.anyio

ENGAGED = {"name": "engagement", "interactive": False}


def engaged(at: float, page: str, ms: int | None, pct: int | None, **more: Any) -> dict[str, Any]:
    return {"at": at, "page": page, "engaged_ms": ms, "scroll_pct": pct, **ENGAGED, **more}


async def test_time_on_page_is_all_engagement_by_the_visits_that_had_some(database: str) -> None:
    # Ann reads /a for 10 s, leaves the tab, comes back and reads for 4 s more: 14 s in one visit.
    # Bob reads /a for 5 s. Cid opens /a and never looks at it.
    # (14 + 5) s ÷ 2 visits = 9.5 s, and halves go to the even second: 10.
    # Ann also reads /b for 3 s: 3 s ÷ 1 visit.
    async with asker(database) as site:
        await site.put(
            {"at": 0, "page": "/a", "visitor": 1},
            engaged(1, "/a", 10_000, 20),
            {"at": 2, "page": "/b", "visitor": 1},
            engaged(3, "/b", 3_000, 100),
            engaged(4, "/a", 4_000, 60),
            {"at": 0, "page": "/a", "visitor": 2},
            engaged(1, "/a", 5_000, 31, visitor=2),
            {"at": 0, "page": "/a", "visitor": 3},
        )
        by_page = await site.ask(["time_on_page"], dimensions=["event:page"])
        assert by_page == [["/a", 10], ["/b", 3]]
        only_a = [["is", "event:page", ["/a"]]]
        assert await site.ask(["time_on_page"], filters=only_a) == [[10]]
        # Of both pages there are three readings of a page by a visit: 22 s ÷ 3 = 7.33 s.
        both = [["contains", "event:page", ["/"]]]
        assert await site.ask(["time_on_page"], filters=both) == [[7]]


async def test_scroll_depth_is_the_mean_of_how_deep_each_visit_went(database: str) -> None:
    # On /a Ann comes to 20 %, then to 60 %: 60. Bob comes to 31 %. (60 + 31) ÷ 2 = 45.5: 46.
    async with asker(database) as site:
        await site.put(
            {"at": 0, "page": "/a", "visitor": 1},
            engaged(1, "/a", 1, 60),
            engaged(2, "/a", 1, 20),
            {"at": 0, "page": "/a", "visitor": 2},
            engaged(1, "/a", None, 31, visitor=2),
        )
        assert await site.ask(["scroll_depth"], dimensions=["event:page"]) == [["/a", 46]]


async def test_without_engagement_there_is_nothing_to_say(database: str) -> None:
    async with asker(database) as site:
        await site.put({"at": 0, "page": "/a"}, {"at": 1, "page": "/b"}, engaged(2, "/b", 1, None))
        asked = await site.ask(
            ["pageviews", "time_on_page", "scroll_depth"],
            dimensions=["event:page"],
            order_by=[["scroll_depth", "desc"], ["time_on_page", "asc"]],
        )
        assert asked == [["/b", 1, 0, None], ["/a", 1, None, None]]


async def test_engagement_joins_the_visit_before_it_however_long_ago(database: str) -> None:
    # An hour after the pageview the reader is back at the page: the visit from the link is meant,
    # and it neither became longer nor a second one.
    async with asker(database) as site:
        await site.put({"at": 0, "page": "/a", "source": "Link"}, engaged(60, "/a", 8_000, None))
        by_source = await site.ask(
            ["time_on_page", "visits", "visit_duration"],
            dimensions=["visit:source"],
            filters=[["is", "event:page", ["/a"]]],
        )
        assert by_source == [["Link", 8, 1, 0]]


async def test_engagement_before_any_visit_belongs_to_nobody(database: str) -> None:
    async with asker(database) as site:
        await site.put(
            engaged(-10, "/a", 9_000, 90),
            {"at": 0, "page": "/a"},
            engaged(1, "/a", 1_000, 10),
            engaged(2, "/a", 7_000, 70, visitor=None),
        )
        asked = await site.ask(["time_on_page", "scroll_depth"], dimensions=["event:page"])
        assert asked == [["/a", 1, 10]]


async def test_what_is_measured_of_pages_needs_a_page(database: str) -> None:
    async with asker(database) as site:
        for metric in ("time_on_page", "scroll_depth"):
            bare = await site.answer({"metrics": ["visitors", metric]})
            assert bare.status_code == 400
            assert bare.json()["error"]["field"] == "metrics[1]"
        by_name = await site.answer(
            {"metrics": ["time_on_page"], "dimensions": ["event:page", "event:name"]}
        )
        assert by_name.json()["error"]["field"] == "metrics[0]"
