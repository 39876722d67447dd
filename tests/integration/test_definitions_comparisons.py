"""Stories that say what a comparison with an earlier period is, worked out by hand."""

from typing import Any

import pytest

from tests.integration.asker import Asker, asker

pytestmark = pytest.mark.anyio

DAY = 24 * 60
PREVIOUS = {"mode": "previous_period"}


async def compare(site: Asker, comparisons: dict[str, Any], **more: Any) -> dict[str, Any]:
    include = {"comparisons": comparisons, **more.pop("include", {})}
    return await site.post({"metrics": ["visitors"], "include": include, **more})


async def test_each_row_says_what_it_was_and_what_changed(database: str) -> None:
    # On /a 3 visitors after 2: + 50 %. On /b 1 after 4: − 75 %. On /c 1 after none: 100 %.
    # /d had 5 and is not there any more: it is in no row.
    async with asker(database) as site:
        today = [("/a", 3), ("/b", 1), ("/c", 1)]
        yesterday = [("/a", 2), ("/b", 4), ("/d", 5)]
        for at, pages in ((0, today), (-DAY, yesterday)):
            for page, count in pages:
                await site.put(*({"at": at, "page": page, "visitor": who} for who in range(count)))
        answer = await compare(site, PREVIOUS, dimensions=["event:page"])
        assert answer["results"] == [
            {"metrics": [3], "dimensions": ["/a"],
             "comparison": {"dimensions": ["/a"], "metrics": [2], "change": [50]}},
            {"metrics": [1], "dimensions": ["/b"],
             "comparison": {"dimensions": ["/b"], "metrics": [4], "change": [-75]}},
            {"metrics": [1], "dimensions": ["/c"],
             "comparison": {"dimensions": ["/c"], "metrics": [0], "change": [100]}},
        ]  # fmt: skip
        assert answer["meta"]["comparison_date_range"] == [
            "2024-05-13T00:00:00+00:00",
            "2024-05-13T23:59:59+00:00",
        ]


async def test_the_page_that_is_wanted_is_the_one_compared(database: str) -> None:
    # /b comes second now; what it was is found though it was third then.
    async with asker(database) as site:
        for at, counts in ((0, {"/a": 3, "/b": 2}), (-DAY, {"/a": 2, "/c": 2, "/b": 1})):
            for page, count in counts.items():
                await site.put(*({"at": at, "page": page, "visitor": w} for w in range(count)))
        cut = {"dimensions": ["event:page"], "pagination": {"limit": 1, "offset": 1}}
        answer = await compare(site, PREVIOUS, **cut)
        assert [row["dimensions"] for row in answer["results"]] == [["/b"]]
        assert answer["results"][0]["comparison"]["metrics"] == [1]


async def test_times_are_matched_by_their_place(database: str) -> None:
    # The 13 and the 14 May with the 11 and the 12: the 14 has 1 after 2 on the 12.
    async with asker(database) as site:
        await site.put({"at": 0}, {"at": -2 * DAY}, {"at": -2 * DAY, "visitor": 2})
        answer = await compare(
            site,
            PREVIOUS,
            dimensions=["time:day"],
            date_range=["2024-05-13", "2024-05-14"],
        )
        assert answer["results"] == [
            {"metrics": [1], "dimensions": ["2024-05-14"],
             "comparison": {"dimensions": ["2024-05-12"], "metrics": [2], "change": [-50]}},
        ]  # fmt: skip


async def test_a_time_that_the_earlier_period_does_not_have_has_no_partner(database: str) -> None:
    # Two days against one: the first has a partner, the second has none.
    async with asker(database) as site:
        await site.put({"at": 0}, {"at": -DAY})
        answer = await compare(
            site,
            {"mode": "custom", "date_range": ["2024-05-01", "2024-05-01"]},
            dimensions=["time:day"],
            date_range=["2024-05-13", "2024-05-14"],
        )
        first, second = answer["results"]
        assert first["comparison"]["dimensions"] == ["2024-05-01"]
        assert second["comparison"] is None


async def test_rates_change_by_points_and_amounts_by_per_cent(database: str) -> None:
    # Yesterday two visits, one a bounce: 50 %. Today two more: the purchase comes after 40 minutes,
    # a visit of its own and no bounce, as it has no pageview: 50 % again, 0 points. Revenue 10 €
    # after 8 €: 25 %. Where there was another currency too there is no change to tell.
    async with asker(database) as site:
        paid = {"name": "buy", "currency": "EUR"}
        await site.put(
            {"at": -DAY}, {"at": 1 - DAY, **paid, "revenue": 8_000}, {"at": -DAY, "visitor": 2},
            {"at": 0}, {"at": 40, **paid, "revenue": 10_000},
        )  # fmt: skip
        metrics = ["bounce_rate", "total_revenue"]
        row = (await compare(site, PREVIOUS, metrics=metrics))["results"][0]
        assert row["metrics"][0] == 50
        assert row["comparison"]["change"] == [0, 25]
        await site.put({"at": -DAY, "name": "buy", "currency": "USD", "revenue": 1})
        row = (await compare(site, PREVIOUS, metrics=metrics))["results"][0]
        assert row["comparison"]["metrics"][1] is None
        assert row["comparison"]["change"][1] is None


async def test_a_year_before_is_the_same_dates(database: str) -> None:
    async with asker(database) as site:
        answer = await compare(
            site, {"mode": "year_over_year"}, date_range=["2024-02-01", "2024-02-29"]
        )
        assert answer["meta"]["comparison_date_range"] == [
            "2023-02-01T00:00:00+00:00",
            "2023-02-28T23:59:59+00:00",
        ]


async def test_what_cannot_be_compared_is_refused_by_its_name(database: str) -> None:
    field = "include.comparisons.date_range"
    async with asker(database) as site:
        for comparisons in (
            {"mode": "custom"},
            {"mode": "previous_period", "date_range": ["2024-05-01", "2024-05-02"]},
            {"mode": "custom", "date_range": ["2024-05-02", "2024-05-01"]},
            {"mode": "custom", "date_range": ["yesterday"]},
        ):
            asked = {"metrics": ["visitors"], "include": {"comparisons": comparisons}}
            answer = await site.answer(asked)
            assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)


async def test_imports_are_taken_and_are_none(database: str) -> None:
    async with asker(database) as site:
        answer = await site.post({"metrics": ["visitors"], "include": {"imports": True}})
        assert answer["meta"]["imports_included"] is False
        assert answer["meta"]["imports_skip_reason"] == "no_imported_data"
