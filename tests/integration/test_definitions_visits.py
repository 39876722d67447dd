"""Stories that say what visitors, visits and their measures are, worked out by hand."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.integration.asker import Asker, asker

pytestmark = pytest.mark.anyio


async def a_morning(site: Asker) -> None:
    """Ann (1) comes from a letter at 12:00, reads /, /a and /b until 12:10, comes back at 13:00
    without the letter, and reads /a. Bob (2) reads / at 12:00 and goes. Cid (3) signs up through
    an app at 12:05 without a pageview. A server (no visitor) sends a pageview of /a at 12:30."""
    await site.put(
        {"at": 0, "visitor": 1, "source": "Letter", "page": "/"},
        {"at": 4, "visitor": 1, "page": "/a"},
        {"at": 10, "visitor": 1, "page": "/b"},
        {"at": 60, "visitor": 1, "page": "/a"},
        {"at": 0, "visitor": 2, "page": "/"},
        {"at": 5, "visitor": 3, "name": "signup", "page": "/app"},
        {"at": 30, "visitor": None, "page": "/a"},
    )


async def test_a_morning_in_numbers(database: str) -> None:
    # Three visitors. Four visits: Ann two, Bob and Cid one each. Six pageviews: Ann 4, Bob 1, the
    # server 1; seven events with Cid's. Visits have 3 + 1 + 1 + 0 pageviews: 5 ÷ 4 = 1.25. Two of
    # four are bounces (Ann's second and Bob's; Cid's has no pageview): 50 %. They last 600, 0, 0
    # and 0 s: 150 s.
    async with asker(database) as site:
        await a_morning(site)
        asked = await site.ask(
            [
                "visitors", "visits", "pageviews", "events",
                "views_per_visit", "bounce_rate", "visit_duration",
            ]
        )  # fmt: skip
        assert asked == [[3, 4, 6, 7, 1.25, 50, 150]]


async def test_a_visit_has_the_source_it_began_with(database: str) -> None:
    # Ann's three pageviews from the letter are one visit of hers; her second visit, Bob's and
    # Cid's came from nowhere. The server's event is in no visit and in no row. Ann is a visitor
    # of both rows: they add up to one more than there are.
    async with asker(database) as site:
        await a_morning(site)
        by_source = await site.ask(["visitors", "visits", "pageviews"], dimensions=["visit:source"])
        assert by_source == [["", 3, 3, 2], ["Letter", 1, 1, 3]]


async def test_events_count_at_their_page_and_visits_where_they_began(database: str) -> None:
    # Events: / has 2 pageviews of 2 visitors, /a has 3 of Ann and the server: 1 visitor, /b 1,
    # /app none. Visits began at / twice, at /a once, and Cid's nowhere.
    async with asker(database) as site:
        await a_morning(site)
        by_page = await site.ask(
            ["visitors", "pageviews", "visits"],
            dimensions=["event:page"],
            order_by=[["event:page", "asc"]],
        )
        assert by_page == [
            ["", 0, 0, 1],
            ["/", 2, 2, 2],
            ["/a", 1, 3, 1],
            ["/app", 1, 0, 0],
            ["/b", 1, 1, 0],
        ]


async def test_a_visit_ends_where_its_last_page_was_left(database: str) -> None:
    async with asker(database) as site:
        await a_morning(site)
        by_exit = await site.ask(["visits"], dimensions=["visit:exit_page"])
        assert by_exit == [["", 1], ["/", 1], ["/a", 1], ["/b", 1]]


async def test_the_hour_that_is_repeated_is_one_bucket(database: str) -> None:
    # On the 27 October 2024 in Berlin it is 2:30 twice, an hour apart: two visits of one visitor
    # in one hour of the clock.
    local: dict[str, Any] = {"day": date(2024, 10, 27), "hour": 2}
    async with asker(database, "Europe/Berlin") as site:
        for hour in (0, 1):
            await site.put({"ts": datetime(2024, 10, 27, hour, 30, tzinfo=UTC), **local})
        by_hour = await site.post(
            {
                "metrics": ["visitors", "visits"],
                "dimensions": ["time:hour"],
                "date_range": ["2024-10-27", "2024-10-27"],
                "include": {"time_labels": True},
            }
        )
        assert by_hour["results"] == [{"metrics": [1, 2], "dimensions": ["2024-10-27 02:00:00"]}]
        assert len(by_hour["meta"]["time_labels"]) == 24


async def test_the_hour_that_is_skipped_has_no_bucket(database: str) -> None:
    async with asker(database, "Europe/Berlin") as site:
        asked = await site.post(
            {
                "metrics": ["visitors"],
                "dimensions": ["time:hour"],
                "date_range": ["2024-03-31", "2024-03-31"],
                "include": {"time_labels": True},
            }
        )
        labels = asked["meta"]["time_labels"]
        assert len(labels) == 23
        assert "2024-03-31 02:00:00" not in labels


async def test_weeks_are_named_by_their_monday_and_months_by_their_first(database: str) -> None:
    # Tuesday the 14 May 2024 is in the week of the 13 and in the month of the 1, also where the
    # range begins later.
    async with asker(database) as site:
        await site.put({"at": 0})
        assert await site.ask(["visits"], dimensions=["time:week"]) == [["2024-05-13", 1]]
        assert await site.ask(["visits"], dimensions=["time:month"]) == [["2024-05-01", 1]]


async def test_whoever_comes_on_several_days_is_as_many_visitors(database: str) -> None:
    # Three days: 3 visitors, of one browser and address.
    async with asker(database) as site:
        await site.put(*({"at": day * 24 * 60} for day in range(3)))
        days = {"date_range": ["2024-05-14", "2024-05-16"]}
        assert await site.ask(["visitors"], **days) == [[3]]
        assert await site.ask(["visitors"], dimensions=["time:week"], **days) == [["2024-05-13", 3]]


async def test_the_last_24_hours_end_now(database: str) -> None:
    # It is noon on the 15 May: half a day ago counts, 24 hours and a minute ago does not.
    async with asker(database) as site:
        site.api.time.now = datetime(2024, 5, 15, 12, tzinfo=UTC)
        await site.put({"at": 12 * 60}, {"at": -1, "visitor": 2})
        assert await site.ask(["visitors"], date_range="24h") == [[1]]
