"""Stories that say what filters, properties, names and saved segments mean."""

from typing import Any

import pytest

from tests.integration.asker import Asker, asker

pytestmark = pytest.mark.anyio

TWO_PAGES: list[dict[str, Any]] = [
    {"at": 0, "visitor": 1, "page": "/a"},
    {"at": 1, "visitor": 1, "page": "/b"},
    {"at": 0, "visitor": 2, "page": "/a"},
    {"at": 0, "visitor": None, "page": "/b"},
]
"""Ann sees /a and /b, Bob only /a; a server's event on /b has no visitor."""


async def test_has_done_chooses_whole_visits(database: str) -> None:
    # Of those who saw /b there is Ann: with her two pageviews. Those who did not: Bob with one.
    # The event without a visitor is in no visit, and so in neither.
    async with asker(database) as site:
        await site.put(*TWO_PAGES)
        saw_b = ["is", "event:page", ["/b"]]
        metrics = ["visitors", "pageviews", "visits"]
        assert await site.ask(metrics, filters=[["has_done", saw_b]]) == [[1, 2, 1]]
        assert await site.ask(metrics, filters=[["has_not_done", saw_b]]) == [[1, 1, 1]]
        assert await site.ask(["pageviews"], filters=[saw_b]) == [[2]]


async def test_has_done_sees_what_the_visit_did_outside_the_range(database: str) -> None:
    async with asker(database) as site:
        await site.put({"at": -20, "page": "/b"}, {"at": 1, "page": "/a"})
        asked = {
            "date_range": ["2024-05-14T12:00:00Z", "2024-05-14T12:59:59Z"],
            "filters": [["has_done", ["is", "event:page", ["/b"]]]],
        }
        assert await site.ask(["pageviews", "visits"], **asked) == [[1, 1]]


async def test_has_done_looks_within_the_visit_and_not_within_the_day(database: str) -> None:
    async with asker(database) as site:
        await site.put({"at": 0, "page": "/b"}, {"at": 31, "page": "/a"})
        done = ["has_done", ["is", "event:page", ["/b"]]]
        assert await site.ask(["pageviews"], filters=[done]) == [[1]]


async def test_has_done_asks_one_event_for_all_at_once(database: str) -> None:
    # Ann signs up on /a and reads /b: she did not sign up on /b.
    async with asker(database) as site:
        await site.put({"at": 0, "page": "/a", "name": "signup"}, {"at": 1, "page": "/b"})
        signup, on_b = ["is", "event:name", ["signup"]], ["is", "event:page", ["/b"]]
        at_once = [["has_done", ["and", [signup, on_b]]]]
        one_by_one = [["has_done", signup], ["has_done", on_b]]
        assert await site.ask(["events"], filters=at_once) == [[0]]
        assert await site.ask(["events"], filters=one_by_one) == [[2]]


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        (["has_done", ["is", "visit:source", ["x"]]], "filters[0][1][1]"),
        (["has_done", ["has_done", ["is", "event:page", ["x"]]]], "filters[0][1]"),
        (["has_done", [["is", "event:page", ["x"]]]], "filters[0][1]"),
        (["has_not_done"], "filters[0]"),
        (["matches", "event:page", ["["]], "filters[0][2][0]"),
        (["matches_not", "event:page", ["a", "(?<=b)c"]], "filters[0][2][1]"),
        (["matches", "event:page", ["a" * 4_001]], "filters[0][2][0]"),
        (["matches", "event:page", ["a" * 3_000, "b" * 3_000]], "filters[0][2]"),
        (["matches", "event:page", ["(((a{30}){30}){30}){30}"]], "filters[0][2][0]"),
        (["matches", "visit:os", ["a"], {"case_sensitive": False}], "filters[0][3].case_sensitive"),
        (["is", "segment", [1]], "filters[0][2][0]"),
        (["contains", "segment", [1]], "filters[0]"),
        (["is", "segment", ["1"]], "filters[0][2][0]"),
        (["is", "event:props:", ["1"]], "filters[0][1]"),
    ],
)  # fmt: skip
async def test_what_cannot_be_filtered_is_refused_by_its_place(
    database: str, tree: list[Any], place: str
) -> None:
    async with asker(database) as site:
        answer = await site.answer({"metrics": ["visitors"], "filters": [tree]})
        assert answer.status_code == 400
        assert answer.json()["error"]["field"] == place


async def test_a_pattern_is_found_anywhere_unless_it_is_tied(database: str) -> None:
    async with asker(database) as site:
        await site.put({"page": "/docs"}, {"page": "/old/docs"}, {"page": "/Docs/é"})

        async def pages(*patterns: str, operator: str = "matches") -> list[str]:
            tree = [[operator, "event:page", list(patterns)]]
            asked = await site.ask(["events"], dimensions=["event:page"], filters=tree)
            return [row[0] for row in asked]

        assert await pages("docs") == ["/docs", "/old/docs"]
        assert await pages("^/docs", "é$") == ["/Docs/é", "/docs"]
        assert await pages("(?i)^/DOCS") == ["/Docs/é", "/docs"]
        assert await pages("^/d", operator="matches_not") == ["/Docs/é", "/old/docs"]


async def test_what_has_too_many_values_to_look_through_is_refused(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.query.fold.MAX_VALUES", 3)
    async with asker(database) as site:
        await site.put(*({"page": f"/{number}"} for number in range(4)))
        asked = {"metrics": ["visitors"], "filters": [["matches", "event:page", ["x"]]]}
        answer = await site.answer(asked)
        assert answer.json()["error"]["field"] == "filters[0]"
        assert "too many values" in answer.json()["error"]["message"]
        monkeypatch.setattr("api.query.fold.MAX_VALUES", 4)
        monkeypatch.setattr("api.query.fold.MAX_COMPARISONS", 7)
        loose = ["contains", "event:page", ["x", "1"], {"case_sensitive": False}]
        answer = await site.answer({"metrics": ["visitors"], "filters": [loose]})
        assert answer.json()["error"]["field"] == "filters[0]"
        plain = [["contains", "event:page", ["1"]]]
        assert await site.ask(["visitors"], filters=plain) == [[1]]


async def a_plan(site: Asker) -> None:
    """Two with a plan, one with an empty one, one with none; numbers and booleans are text."""
    await site.put(
        {"visitor": 1, "props": {"plan": "pro", "seats": 3, "trial": True}},
        {"visitor": 2, "props": {"plan": "free", "seats": 1.5, "trial": False}},
        {"visitor": 3, "props": {"plan": ""}},
        {"visitor": 4},
    )


async def test_a_property_that_is_not_there_is_none(database: str) -> None:
    async with asker(database) as site:
        await a_plan(site)
        by_plan = await site.ask(["visitors"], dimensions=["event:props:plan"])
        assert by_plan == [["(none)", 2], ["free", 1], ["pro", 1]]
        by_seats = await site.ask(["events"], dimensions=["event:props:seats"])
        assert by_seats == [["(none)", 2], ["1.5", 1], ["3", 1]]
        assert await site.ask(["events"], dimensions=["event:props:trial"]) == [
            ["(none)", 2],
            ["false", 1],
            ["true", 1],
        ]


async def test_filters_tell_properties_from_their_absence(database: str) -> None:
    # is_not takes in those without; contains finds nothing in what is not there.
    async with asker(database) as site:
        await a_plan(site)

        async def count(operator: str, *values: str) -> int:
            tree = [[operator, "event:props:plan", list(values)]]
            return int((await site.ask(["visitors"], filters=tree))[0][0])

        assert await count("is", "pro") == 1
        assert await count("is_not", "pro") == 3
        assert await count("is", "(none)") == 2
        assert await count("contains", "e") == 1
        assert await count("contains_not", "e") == 3
        assert await count("matches", ".") == 2


async def test_countries_have_names_and_are_ordered_by_them(database: str) -> None:
    async with asker(database) as site:
        await site.put(
            {"visitor": 1, "country": "DE"}, {"visitor": 2, "country": "AT"},
            {"visitor": 3, "country": "ES"}, {"visitor": 4, "country": "QQ"},
            {"visitor": 5, "country": ""},
        )  # fmt: skip
        named = {"dimensions": ["visit:country_name"]}
        by_name = await site.ask(["visitors"], order_by=[["visit:country_name", "asc"]], **named)
        assert [row[0] for row in by_name] == ["", "Austria", "Germany", "QQ", "Spain"]
        page = {"order_by": [["visit:country_name", "desc"]], "pagination": {"limit": 2}}
        assert await site.ask(["visitors"], **named, **page) == [["Spain", 1], ["QQ", 1]]
        tree = [["contains", "visit:country_name", ["man", "Sp"]]]
        chosen = await site.ask(["visitors"], filters=tree, **named)
        assert chosen == [["Germany", 1], ["Spain", 1]]
        by_code = [["is", "visit:country_name", ["DE"]]]
        assert await site.ask(["visitors"], filters=by_code) == [[0]]


async def test_hostnames_of_the_first_and_the_last_page(database: str) -> None:
    async with asker(database) as site:
        await site.put(
            {"at": 0, "hostname": "api.example", "name": "signup"},
            {"at": 1, "hostname": "one.example"},
            {"at": 2, "hostname": "two.example"},
        )
        dimensions = ["visit:entry_page_hostname", "visit:exit_page_hostname"]
        assert await site.ask(["visits"], dimensions=dimensions) == [
            ["one.example", "two.example", 1]
        ]


async def test_a_saved_segment_is_its_filters(database: str) -> None:
    async with asker(database) as site:
        await site.put(*TWO_PAGES)
        await site.save_goal("Sees b", ["is", "event:page", ["/b"]])
        on_b = await site.save_segment("b", ["is", "event:goal", ["Sees b"]])
        on_a = await site.save_segment("a", ["is", "event:page", ["/a"]])
        assert await site.ask(["events"], filters=[["is", "segment", [on_b]]]) == [[2]]
        assert await site.ask(["events"], filters=[["is_not", "segment", [on_b]]]) == [[2]]
        assert await site.ask(["events"], filters=[["is", "segment", [on_a, on_b]]]) == [[4]]


async def test_what_is_excluded_is_in_no_answer(database: str) -> None:
    # Ann keeps her pageview of /a; her visit is measured whole. The event on /b without a visitor
    # is gone too. An exclusion by source leaves what has no visit alone.
    async with asker(database) as site:
        await site.put(*TWO_PAGES)
        await site.save_exclusion("b", ["is", "event:page", ["/b"]])
        await site.save_exclusion("letter", ["is", "visit:source", ["Letter"]])
        answer = await site.post({"metrics": ["events", "visits", "views_per_visit"]})
        assert answer["results"][0]["metrics"] == [2, 2, 1.5]
        assert answer["meta"]["exclusions"] == ["b", "letter"]
        by_page = await site.ask(["percentage"], dimensions=["event:page"])
        assert by_page == [["/a", 100.0]]
