"""Stories that say what goals, shares and revenue are, worked out by hand."""

from typing import Any

import pytest

from tests.integration.asker import Asker, asker

pytestmark = pytest.mark.anyio

SIGNUP = {"name": "signup"}


async def a_shop(site: Asker) -> None:
    """Eight visitors: 1 to 6 come from a letter, 7 and 8 from nowhere. 1, 2 and 7 sign up, 1 and
    7 on the page /pricing; 1 buys twice, 8 once and in dollars."""
    await site.save_goal("Signup", ["is", "event:name", ["signup"]])
    await site.save_goal("Signup on pricing",
        ["is", "event:name", ["signup"]], ["is", "event:page", ["/pricing"]])  # fmt: skip
    await site.save_goal("Buys", ["is", "event:name", ["purchase"]])
    come = [
        {"at": 0, "visitor": who, "source": "Letter" if who <= 6 else ""} for who in range(1, 9)
    ]
    bought: list[dict[str, Any]] = [
        {"at": 3, "visitor": 1, "revenue": 10_000, "currency": "EUR"},
        {"at": 4, "visitor": 1, "revenue": 2_501, "currency": "EUR"},
        {"at": 5, "visitor": 8, "revenue": 1_700_000, "currency": "USD"},
    ]
    await site.put(
        *come,
        {"at": 1, "visitor": 1, "page": "/pricing", **SIGNUP},
        {"at": 2, "visitor": 1, "page": "/pricing", **SIGNUP},
        {"at": 1, "visitor": 2, "page": "/", **SIGNUP},
        {"at": 1, "visitor": 7, "page": "/pricing", **SIGNUP},
        *(
            {**row, "name": "purchase", "source": "" if row["visitor"] == 8 else "x"}
            for row in bought
        ),
    )


async def test_an_event_counts_under_every_goal_that_it_matches(database: str) -> None:
    # Signup: visitors 1, 2, 7 with 4 events. On pricing: 1 and 7 with 3. Buys: 1 and 8 with 3.
    async with asker(database) as site:
        await a_shop(site)
        by_goal = await site.ask(["visitors", "events"], dimensions=["event:goal"])
        assert by_goal == [["Signup", 3, 4], ["Buys", 2, 3], ["Signup on pricing", 2, 3]]


async def test_the_conversion_rate_is_a_share_of_all_who_came(database: str) -> None:
    # 3 of 8 sign up: 37.5 %; 2 of 8 on the page, and 2 of 8 buy: 25 %.
    async with asker(database) as site:
        await a_shop(site)
        by_goal = await site.ask(["conversion_rate"], dimensions=["event:goal"])
        assert by_goal == [["Signup", 37.5], ["Buys", 25.0], ["Signup on pricing", 25.0]]
        filtered = [["is", "event:goal", ["Signup"]]]
        assert await site.ask(["conversion_rate"], filters=filtered) == [[37.5]]


async def test_the_group_conversion_rate_is_a_share_of_those_who_came_so(database: str) -> None:
    # From the letter 2 of 6 sign up: 33.3 % of that group, 25 % of all 8. From nowhere 1 of 2:
    # 50 % of the group, 12.5 % of all.
    async with asker(database) as site:
        await a_shop(site)
        asked = await site.ask(
            ["visitors", "conversion_rate", "group_conversion_rate"],
            dimensions=["visit:source"],
            filters=[["is", "event:goal", ["Signup"]]],
        )
        assert asked == [["Letter", 2, 25.0, 33.3], ["", 1, 12.5, 50.0]]


async def test_the_percentage_is_a_share_of_the_same_question_undivided(database: str) -> None:
    # Of the 3 who sign up, 2 come from the letter: 66.7 %, and 33.3 % from nowhere.
    async with asker(database) as site:
        await a_shop(site)
        asked = await site.ask(
            ["percentage"],
            dimensions=["visit:source"],
            filters=[["is", "event:goal", ["Signup"]]],
        )
        assert asked == [["Letter", 66.7], ["", 33.3]]
        nobody = [["is", "event:page", ["/nowhere"]]]
        assert await site.ask(["percentage"], filters=nobody) == [[None]]


async def test_revenue_adds_up_within_one_currency(database: str) -> None:
    # Visitor 1 buys for 10 € and 2.501 €: 12.501 €, on average 6.2505 €, whose half of a
    # thousandth goes to the even one: 6.250 €.
    async with asker(database) as site:
        await a_shop(site)
        letter = [["is", "visit:source", ["Letter"]]]
        total, average = (await site.ask(["total_revenue", "average_revenue"], filters=letter))[0]
        assert total == {"currency": "EUR", "value": 12.501, "long": "€12.50", "short": "€12.50"}
        assert average["value"] == 6.25
        other = await site.ask(["total_revenue"], filters=[["is", "visit:source", [""]]])
        assert other == [
            [{"currency": "USD", "value": 1700.0, "long": "$1,700.00", "short": "$1.7K"}]
        ]


async def test_several_currencies_do_not_add_up(database: str) -> None:
    async with asker(database) as site:
        await a_shop(site)
        answer = await site.post({"metrics": ["total_revenue", "visitors"]})
        assert answer["results"][0]["metrics"] == [None, 8]
        warning = answer["meta"]["metric_warnings"]["total_revenue"]
        assert warning["code"] == "several_currencies"


async def test_a_share_of_those_who_reached_a_goal_needs_a_goal(database: str) -> None:
    async with asker(database) as site:
        await a_shop(site)
        for metric in ("conversion_rate", "group_conversion_rate"):
            bare = await site.answer({"metrics": ["visitors", metric]})
            assert bare.json()["error"]["field"] == "metrics[1]"
        buried = {
            "metrics": ["conversion_rate"],
            "dimensions": ["event:goal"],
            "filters": [["not", ["is", "event:props:plan", ["pro"]]]],
        }
        assert (await site.answer(buried)).json()["error"]["field"] == "filters[0]"


async def test_visits_are_not_measured_by_goal_nor_by_property(database: str) -> None:
    async with asker(database) as site:
        for dimension in ("event:goal", "event:props:plan"):
            asked = {"metrics": ["bounce_rate"], "dimensions": [dimension]}
            assert (await site.answer(asked)).json()["error"]["field"] == "metrics[0]"


async def test_a_goal_that_there_is_not_is_refused(database: str) -> None:
    async with asker(database) as site:
        await a_shop(site)
        unknown = {"metrics": ["visitors"], "filters": [["is", "event:goal", ["Signup", "x"]]]}
        assert (await site.answer(unknown)).json()["error"]["field"] == "filters[0][2][1]"
        loose = [["contains", "event:goal", ["pricing", "x"]]]
        assert await site.ask(["visitors"], filters=loose) == [[2]]
