"""What can be asked, what it means, and what is refused."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import func, insert, select

from tests.integration.api_service import api_service, error
from tests.integration.asker import NOON, SITE, asker
from writer.tables import events, salt

pytestmark = pytest.mark.anyio

ALL_METRICS = [
    "visitors", "visits", "pageviews", "views_per_visit", "bounce_rate", "visit_duration", "events",
]  # fmt: skip


async def test_a_gap_of_exactly_half_an_hour_does_not_end_a_visit(database: str) -> None:
    async with asker(database) as site:
        await site.put({"at": 0}, {"at": 30})
        assert await site.ask(["visits", "visit_duration"]) == [[1, 1800]]
        await site.put({"at": 60.000001})
        assert await site.ask(["visits"]) == [[2]]


async def test_midnight_ends_a_visit(database: str) -> None:
    async with asker(database) as site:
        await site.put({"at": 719}, {"at": 721, "visitor": 1})
        whole = {"date_range": ["2024-05-14", "2024-05-15"]}
        assert await site.ask(["visitors", "visits"], **whole) == [[2, 2]]


async def test_a_visitor_on_two_days_counts_twice(database: str) -> None:
    async with asker(database) as site:
        await site.put({"at": 0}, {"at": 24 * 60})
        by_day = {"date_range": ["2024-05-14", "2024-05-15"], "dimensions": ["time:day"]}
        assert await site.ask(["visitors"], **by_day) == [["2024-05-14", 1], ["2024-05-15", 1]]


async def test_engagement_neither_begins_nor_lengthens_a_visit_nor_counts(database: str) -> None:
    async with asker(database) as site:
        engagement = {"name": "engagement", "interactive": False}
        await site.put({"at": -50, **engagement}, {"at": 0}, {"at": 20, **engagement}, {"at": 45})
        assert await site.ask(["visits", "events", "visit_duration"]) == [[2, 2, 0]]
        await site.put({"at": 0, "visitor": 2, **engagement})
        assert await site.ask(["visitors"]) == [[1]]


async def test_bots_are_left_out(database: str) -> None:
    async with asker(database) as site:
        await site.put({"at": 0}, {"at": 1, "visitor": 2, "bot": "Googlebot"})
        assert await site.ask(ALL_METRICS) == [[1, 1, 1, 1.0, 100, 0, 1]]


@pytest.mark.parametrize(
    ("second", "bounce_rate"),
    [
        ({"name": "pageview"}, 0),
        ({"name": "signup"}, 0),
        ({"name": "scroll", "interactive": False}, 100),
        ({"name": "engagement", "interactive": False}, 100),
    ],
)
async def test_a_bounce_is_one_pageview_and_nothing_else_interactive(
    database: str, second: dict[str, Any], bounce_rate: int
) -> None:
    async with asker(database) as site:
        await site.put({"at": 0}, {"at": 1, **second})
        assert await site.ask(["bounce_rate"]) == [[bounce_rate]]


async def test_ratios_round_half_to_even(database: str) -> None:
    async with asker(database) as site:
        # 1 of 8 bounces: 12.5 %; 15 pageviews in 8 visits: 1.875; 4 s in 8 visits: 0.5 s.
        for visitor in range(8):
            bounce = visitor == 0
            second = [] if bounce else [{"at": 4 / 60 if visitor == 1 else 0, "visitor": visitor}]
            await site.put({"visitor": visitor}, *second)
        rows = await site.ask(["bounce_rate", "views_per_visit", "visit_duration"])
        assert rows == [[12, 1.88, 0]]


async def test_nothing_is_zero(database: str) -> None:
    async with asker(database) as site:
        assert await site.ask(ALL_METRICS) == [[0, 0, 0, 0.0, 0, 0, 0]]
        assert await site.ask(ALL_METRICS, dimensions=["event:page"]) == []


async def test_a_visit_has_its_first_events_source_and_its_first_pageviews_page(
    database: str,
) -> None:
    async with asker(database) as site:
        await site.put(
            {"at": 0, "name": "signup", "page": "/form", "source": "Google"},
            {"at": 1, "page": "/a", "source": "Bing"},
            {"at": 2, "page": "/b"},
        )
        dimensions = ["visit:source", "visit:entry_page", "visit:exit_page"]
        assert await site.ask(["visits"], dimensions=dimensions) == [["Google", "/a", "/b", 1]]


async def test_a_visit_belongs_to_each_hour_of_its_events_and_is_measured_whole(
    database: str,
) -> None:
    async with asker(database) as site:
        await site.put({"at": 50}, {"at": 70}, {"at": 90})
        by_hour = {"dimensions": ["time:hour"]}
        assert await site.ask(["visits", "visit_duration", "pageviews"], **by_hour) == [
            ["2024-05-14 12:00:00", 1, 2400, 1],
            ["2024-05-14 13:00:00", 1, 2400, 2],
        ]
        instants = ["2024-05-14T15:00:00+02:00", "2024-05-14T15:59:59+02:00"]
        rows = await site.ask(["visits", "visit_duration", "pageviews"], date_range=instants)
        assert rows == [[1, 2400, 2]]


async def test_by_page_a_visit_counts_at_its_entry_page(database: str) -> None:
    async with asker(database) as site:
        await site.put({"at": 0, "page": "/in"}, {"at": 1, "page": "/on"})
        rows = await site.ask(["pageviews", "visits"], dimensions=["event:page"])
        assert rows == [["/in", 1, 1], ["/on", 1, 0]]


async def test_a_visits_entry_page_is_a_row_even_where_no_event_of_it_was_chosen(
    database: str,
) -> None:
    async with asker(database) as site:
        await site.put({"at": 0, "page": "/in"}, {"at": 1, "page": "/on"})
        only_on = {"filters": [["is", "event:page", ["/on"]]]}
        rows = await site.ask(["pageviews", "visits"], dimensions=["event:page"], **only_on)
        assert rows == [["/on", 1, 0], ["/in", 0, 1]]


async def test_of_events_at_one_instant_the_greater_id_is_the_later(database: str) -> None:
    async with asker(database) as site:
        await site.put(
            {"page": "/c", "event_id": UUID(int=3 << 100)},
            {"page": "/a", "event_id": UUID(int=1 << 100)},
            {"page": "/b", "event_id": UUID(int=2 << 100)},
        )
        dimensions = ["visit:entry_page", "visit:exit_page"]
        assert await site.ask(["visits"], dimensions=dimensions) == [["/a", "/c", 1]]


async def test_a_visit_without_a_pageview_has_an_empty_entry_page_in_filters_too(
    database: str,
) -> None:
    async with asker(database) as site:
        await site.put({"name": "signup", "page": "/form"})
        for modifiers in ([], [{"case_sensitive": False}]):
            filters = [["is", "visit:entry_page", [""], *modifiers]]
            assert await site.ask(["visits", "bounce_rate"], filters=filters) == [[1, 0]]


async def test_an_event_filter_counts_the_visits_that_hold_one_whole(database: str) -> None:
    async with asker(database) as site:
        await site.put({"at": 0, "page": "/a"}, {"at": 10, "page": "/b"})
        await site.put({"at": 0, "page": "/a", "visitor": 2})
        only_b = {"filters": [["is", "event:page", ["/b"]]]}
        rows = await site.ask(["visits", "visit_duration", "pageviews", "visitors"], **only_b)
        assert rows == [[1, 600, 1, 1]]


async def test_an_event_without_a_visitor_counts_as_an_event_alone(database: str) -> None:
    async with asker(database) as site:
        await site.put({"at": 0, "visitor": None, "source": "Google"})
        assert await site.ask(["visitors", "visits", "pageviews", "events"]) == [[0, 0, 1, 1]]
        assert await site.ask(["pageviews"], dimensions=["visit:source"]) == []
        either_way = [
            await site.ask(["pageviews"], filters=[[operator, "visit:source", ["Google"]]])
            for operator in ("is", "is_not")
        ]
        assert either_way == [[[0]], [[0]]]


@pytest.mark.parametrize("case", [{}, {"case_sensitive": False}])
@pytest.mark.parametrize(
    "filter_",
    [
        ["is_not", "visit:entry_page", ["/a"]],
        ["contains_not", "visit:source", ["a"]],
        ["not", ["is", "visit:country", ["DE"]]],
    ],
)
async def test_no_filter_by_visit_chooses_an_event_without_one(
    database: str, filter_: list[Any], case: dict[str, bool]
) -> None:
    inner = filter_[1] if filter_[0] == "not" else filter_
    inner += [case] if case else []
    async with asker(database) as site:
        await site.put({"visitor": None})
        assert await site.ask(["pageviews"], filters=[filter_]) == [[0]]


async def test_days_whose_visitors_were_salted_anew_are_named(database: str) -> None:
    async with asker(database) as site:
        await site.put({"at": 0})
        assert "salted_anew" not in (await site.post({"metrics": ["visitors"]}))["meta"]
        async with site.api.transaction() as db:
            rows = [
                {"site_id": 1, "day": NOON.date() + timedelta(days=days), "kind": "import"}
                for days in (0, 1)
            ]
            await db.execute(insert(salt), [row | {"generation": 1} for row in rows])
            await db.execute(insert(salt), [row | {"generation": 2} for row in rows])
        for ends in (["2024-05-14"] * 2, ["2024-05-14T10:00:00Z", "2024-05-14T13:00:00Z"]):
            answer = await site.post({"metrics": ["visitors"], "date_range": ends})
            assert answer["meta"]["salted_anew"] == ["2024-05-14"]


async def test_ties_break_by_code_point(database: str) -> None:
    async with asker(database) as site:
        pages = ["/ä", "/B", "/a", "/\U0001f600", "/￿"]
        await site.put(*({"page": page} for page in pages))
        rows = await site.ask(["pageviews"], dimensions=["event:page"])
        assert [row[0] for row in rows] == ["/B", "/a", "/ä", "/￿", "/\U0001f600"]


async def test_contains_takes_no_character_for_a_pattern(database: str) -> None:
    async with asker(database) as site:
        await site.put({"page": "/100%"}, {"page": "/a_b"}, {"page": "/axb"})
        for text, pages in (("%", ["/100%"]), ("a_b", ["/a_b"])):
            filters = [["contains", "event:page", [text]]]
            rows = await site.ask(["events"], dimensions=["event:page"], filters=filters)
            assert [row[0] for row in rows] == pages


async def test_case_is_ignored_where_the_filter_says_so(database: str) -> None:
    async with asker(database) as site:
        await site.put({"source": "STRASSE"}, {"at": 1, "visitor": 2, "source": "straße"})
        for modifiers, visits in (([], 1), ([{"case_sensitive": False}], 2)):
            filters = [["is", "visit:source", ["straße"], *modifiers]]
            assert await site.ask(["visits"], filters=filters) == [[visits]]


async def test_an_answer_is_as_of_the_highest_settled_commit(database: str) -> None:
    async with asker(database) as site:
        first = await site.put({"at": 0})
        async with site.api.parts.pool.connect() as slow:
            await slow.execute(select(func.open_commit()))
            await site.put({"at": 1})
            answer = await site.post({"metrics": ["events"]})
            assert answer["meta"] == {"as_of": first, "sources": ["rows"]}
            assert answer["results"] == [{"metrics": [1], "dimensions": []}]
            await slow.rollback()
        answer = await site.post({"metrics": ["events"]})
        assert answer["meta"]["as_of"] > first
        assert answer["results"] == [{"metrics": [2], "dimensions": []}]


async def test_a_row_that_another_took_the_place_of_is_gone(database: str) -> None:
    async with asker(database) as site:
        await site.put({"at": 0})
        commit = await site.put({"at": 5})
        async with site.api.transaction() as db:
            await db.execute(
                events.update().where(events.c.commit_in < commit).values(commit_out=commit)
            )
        assert await site.ask(["events"]) == [[1]]


async def test_pages_of_an_answer_add_up_to_it(database: str) -> None:
    async with asker(database) as site:
        await site.put(*({"page": f"/{index}"} for index in range(7)))
        seen: list[list[Any]] = []
        for offset in (0, 3, 6, 9):
            answer = await site.post(
                {
                    "metrics": ["pageviews"],
                    "dimensions": ["event:page"],
                    "include": {"total_rows": True},
                    "pagination": {"limit": 3, "offset": offset},
                }
            )
            assert answer["meta"]["total_rows"] == 7
            seen += [row["dimensions"] for row in answer["results"]]
        assert seen == [[f"/{index}"] for index in range(7)]


async def test_the_answer_repeats_the_question_as_it_was_understood(database: str) -> None:
    async with asker(database, "Europe/Berlin") as site:
        answer = await site.post(
            {"metrics": ["visitors"], "dimensions": ["time"], "date_range": "7d"}
        )
        assert answer["query"] == {
            "site_id": SITE,
            "metrics": ["visitors"],
            "date_range": ["2024-05-08T00:00:00+02:00", "2024-05-14T23:59:59+02:00"],
            "dimensions": ["time:day"],
            "filters": [],
            "order_by": [["time:day", "asc"], ["visitors", "desc"]],
            "include": {"time_labels": False, "total_rows": False, "imports": False},
            "pagination": {"limit": 10_000, "offset": 0},
        }


async def test_all_begins_with_the_first_event(database: str) -> None:
    async with asker(database) as site:
        question = {"metrics": ["events"], "date_range": "all"}
        empty = await site.post(question)
        assert empty["query"]["date_range"][0] == "2024-05-15T00:00:00+00:00"
        await site.put({"at": -60 * 24 * 400})
        answer = await site.post(question)
        assert answer["query"]["date_range"][0] == "2023-04-10T00:00:00+00:00"
        assert answer["results"][0]["metrics"] == [1]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"metrics": []}, "metrics"),
        ({"metrics": ["happiness"]}, "metrics[0]"),
        ({"metrics": ["visitors", "visitors"]}, "metrics[1]"),
        ({"metrics": "visitors"}, "metrics"),
        ({"metrics": None}, "metrics"),
        ({"dimensions": ["event:length"]}, "dimensions[0]"),
        ({"dimensions": ["event:page", "event:props:"]}, "dimensions[1]"),
        ({"dimensions": ["event:page", "event:page"]}, "dimensions[1]"),
        ({"metrics": ["visits"], "dimensions": ["event:name"]}, "metrics[0]"),
        ({"metrics": ["events", "bounce_rate"], "dimensions": ["event:hostname"]}, "metrics[1]"),
        ({"date_range": "yesterday"}, "date_range"),
        ({"date_range": ["2024-05-14"]}, "date_range"),
        ({"date_range": ["2024-05-14", "2024-05-13"]}, "date_range"),
        ({"date_range": ["2024-02-30", "2024-03-01"]}, "date_range"),
        ({"date_range": ["2024-05-14", "2024-05-14T12:00:00Z"]}, "date_range"),
        ({"date_range": ["2024-05-14T12:00:00", "2024-05-14T13:00:00"]}, "date_range"),
        ({"date_range": ["0001-01-01T00:00:00+14:00", "2024-05-14T13:00:00Z"]}, "date_range"),
        ({"date_range": ["2024-05-14", "9999-12-31"]}, "date_range"),
        ({"date_range": 7}, "date_range"),
        ({"filters": [["resembles", "event:page", ["^/"]]]}, "filters[0][0]"),
        ({"filters": [["is", "event:goal", ["Signup"]]]}, "filters[0][2][0]"),
        ({"filters": [["is", "time:day", ["2024-05-14"]]]}, "filters[0][1]"),
        ({"filters": [["is", ["event:page"], ["/"]]]}, "filters[0][1]"),
        ({"filters": [["is", "event:page", "/"]]}, "filters[0][2]"),
        ({"filters": [["is", "event:page", []]]}, "filters[0][2]"),
        ({"filters": [["is", "event:page", [7]]]}, "filters[0][2][0]"),
        ({"filters": [["is", "event:page", ["a\0"]]]}, "filters[0][2][0]"),
        ({"filters": [["is", "event:page"]]}, "filters[0]"),
        ({"filters": [["is", "event:page", ["/"], {"fuzzy": True}]]}, "filters[0][3]"),
        ({"filters": [["and", []]]}, "filters[0][1]"),
        ({"filters": [["or", ["is", "event:page", ["/"]]]]}, "filters[0][1][0]"),
        ({"filters": ["event:page"]}, "filters[0]"),
        ({"filters": "none"}, "filters"),
        ({"order_by": [["visits", "asc"]]}, "order_by[0][0]"),
        ({"order_by": [["visitors", "up"]]}, "order_by[0][1]"),
        ({"order_by": [["visitors", ["asc"]]]}, "order_by[0][1]"),
        ({"order_by": ["visitors"]}, "order_by[0]"),
        ({"include": {"time_labels": True}}, "include.time_labels"),
        ({"include": {"weather": True}}, "include.weather"),
        ({"pagination": {"limit": 0}}, "pagination.limit"),
        ({"pagination": {"limit": 10_001}}, "pagination.limit"),
        ({"pagination": {"offset": -1}}, "pagination.offset"),
        ({"pagination": {"offset": 10**30}}, "pagination.offset"),
        ({"compare": "previous_period"}, "compare"),
        ({"site_id": 7}, "site_id"),
    ],
)
async def test_what_cannot_be_answered_is_refused_by_its_name(
    database: str, change: dict[str, Any], field: str
) -> None:
    async with asker(database) as site:
        answer = await site.answer({"metrics": ["visitors"], **change})
        assert error(answer) == (400, "bad_query", field)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"{", 400, "bad_json"),
        (b"\xff\xfe", 400, "bad_json"),
        (b'{"site_id":"\\ud800","metrics":["visitors"],"date_range":"day"}', 400, "bad_json"),
        (b'{"filters":' + b"[" * 20_000 + b"]" * 20_000 + b"}", 400, "too_deep"),
        (b"[]", 400, "bad_query"),
        (b'{"metrics":["visitors"]}', 400, "bad_query"),
        (b" " * 70_000, 413, "too_large"),
        (b'{"site_id":"a\\u0000","metrics":["visitors"],"date_range":"day"}', 400, "unknown_site"),
    ],
)
async def test_a_body_that_is_no_question_is_refused(
    database: str, body: bytes, status: int, code: str
) -> None:
    async with asker(database) as site:
        headers = {**await site.api.key("query"), "content-type": "application/json"}
        answer = await site.api.client.post("/api/v2/query", content=body, headers=headers)
        assert error(answer)[:2] == (status, code)


async def test_a_body_of_another_type_is_refused(database: str) -> None:
    async with asker(database) as site:
        headers = {**await site.api.key("query"), "content-type": "text/plain"}
        answer = await site.api.client.post("/api/v2/query", content=b"{}", headers=headers)
        assert error(answer)[:2] == (415, "unsupported_media_type")


async def test_deeply_nested_filters_are_refused_by_their_place(database: str) -> None:
    tree: list[Any] = ["is", "event:page", ["/"]]
    for _ in range(11):
        tree = ["not", tree]
    async with asker(database) as site:
        answer = await site.answer({"metrics": ["visitors"], "filters": [tree]})
        status, code, field = error(answer)
        assert (status, code) == (400, "bad_query")
        assert field is not None
        assert field.startswith("filters[0][1]")


async def test_a_query_past_its_time_limit_is_given_up_with_a_reason(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asker(database, api_query_timeout_s=0.2) as site:
        await site.put({"at": 0})
        with psycopg.connect(database) as holder:
            holder.execute("lock table events in access exclusive mode")
            answer = await asyncio.wait_for(site.answer({"metrics": ["visitors"]}), 60)
        assert error(answer) == (504, "query_timeout", None)
        # The connection is good for the next question, to which this limit would be too short.
        monkeypatch.setattr("api.endpoints.query.limits", lambda call: (60.0, call.parts.archive))
        assert await site.ask(["visitors"]) == [[1]]


async def test_a_database_out_of_reach_is_unavailable_and_then_back(
    database: str,
) -> None:
    async with asker(database) as site:
        with psycopg.connect(database, autocommit=True) as other:
            other.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        assert await site.ask(["visitors"]) == [[0]]
    async with api_service("postgresql://nobody@127.0.0.1:1/none") as api:
        answer = await api.client.get("/api/sites", headers={"authorization": "Bearer x"})
        assert error(answer) == (503, "unavailable", None)
        assert int(answer.headers["retry-after"]) > 0
