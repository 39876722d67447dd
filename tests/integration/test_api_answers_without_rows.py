"""Answers when rows have left the database: the same from the file, and what is lacking is said."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.clock import US_PER_DAY, US_PER_HOUR
from tests.days_world import SITE, Days, days_world
from tests.integration.api_service import ApiService, api_service
from tests.writer_world import NOON, envelope, put_setting

pytestmark = pytest.mark.anyio

DAYS = ["2026-06-10", "2026-06-12"]
QUESTIONS: dict[str, dict[str, Any]] = {
    "totals": {"metrics": ["visitors", "visits", "pageviews", "events", "bounce_rate"]},
    "by day": {"metrics": ["visitors", "pageviews"], "dimensions": ["time:day"]},
    "by page": {"metrics": ["visitors", "pageviews"], "dimensions": ["event:page"]},
    "filtered": {
        "metrics": ["visitors", "visits", "events", "visit_duration"],
        "filters": [["is", "event:page", ["/a"]]],
    },
    "by two": {"metrics": ["events"], "dimensions": ["event:page", "event:name"]},
    "contains": {"metrics": ["visitors"], "filters": [["contains", "event:page", ["/A"]]]},
    "any case": {
        "metrics": ["visitors"],
        "filters": [["contains", "event:page", ["/A"], {"case_sensitive": False}]],
    },
    "matches": {"metrics": ["visitors"], "filters": [["matches", "event:page", ["^/[ab]$"]]]},
    "a property": {"metrics": ["events"], "dimensions": ["event:props:plan"]},
    "ever since": {"metrics": ["pageviews"], "date_range": "all", "dimensions": ["time:day"]},
    "instants": {
        "metrics": ["events"],
        "date_range": ["2026-06-10T11:00:00Z", "2026-06-11T12:30:00Z"],
    },
}
NEED_ROWS = ("filtered", "by two", "instants")


class World:
    def __init__(self, days: Days, api: ApiService, headers: dict[str, str]) -> None:
        self.days = days
        self._api = api
        self._headers = headers

    def put(self) -> None:
        """Three days of a few visitors."""
        for day in range(3):
            for visitor in range(3):
                at = NOON + day * US_PER_DAY + visitor * US_PER_HOUR
                who: dict[str, Any] = {"ip": f"203.0.113.{visitor}"}
                page = f"https://{SITE}/{'ab'[visitor % 2]}"
                self.days.put(
                    envelope(**who, url=page, received_at=at, props={"plan": f"p{visitor}"}),
                    envelope(**who, url=page, received_at=at + 60_000_000, name="buy"),
                )

    async def ask(self, question: dict[str, Any]) -> Any:
        self.days.db.execute("update rollup_progress set looked_at = now()")
        self._api.time.now = self.days.now
        body = {"site_id": SITE, "date_range": DAYS, **question}
        answer = await self._api.client.post("/api/v2/query", json=body, headers=self._headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ask_all(self) -> dict[str, Any]:
        return {name: await self.ask(question) for name, question in QUESTIONS.items()}


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[World]:
    folder = tmp_path / "archive"
    with days_world(database, folder) as days:
        async with api_service(database, archive_folder=folder) as api:
            yield World(days, api, await api.key("query"))


def results(answers: dict[str, Any]) -> dict[str, Any]:
    return {name: answer["results"] for name, answer in answers.items()}


async def test_an_answer_is_the_same_when_its_rows_have_left(world: World) -> None:
    world.put()
    world.days.pass_days(20)
    world.days.archive()
    before = await world.ask_all()
    assert world.days.keep_to_limits() == 18
    after = await world.ask_all()
    assert results(after) == results(before)
    assert not [name for name, answer in after.items() if "rows" in answer["meta"]["sources"]]
    assert not [name for name, answer in after.items() if "missing_days" in answer["meta"]]
    assert before["any case"]["results"][0]["metrics"] == [6]
    assert before["matches"]["results"][0]["metrics"] == [9]


async def test_an_answer_is_the_same_when_one_day_is_back_for_a_late_event(world: World) -> None:
    world.put()
    world.days.leave()
    before = await world.ask_all()
    world.days.put(envelope(received_at=NOON, name="late", title="late", user_agent="curl/8"))
    waiting = await world.ask_all()
    world.days.restore()
    back = await world.ask_all()
    world.days.store_ready()
    world.days.roll_up()
    stored = await world.ask_all()
    assert results(before) == results(waiting) == results(back) == results(stored)


async def test_rows_on_their_way_are_not_counted_beside_their_file(world: World) -> None:
    world.put()
    world.days.db.execute("create table kept as select * from events")
    world.days.leave()
    before = await world.ask_all()
    some = "select * from kept where ('x' || md5(event_id::text))::bit(4)::int % 2 = 0"
    world.days.db.execute(f"insert into events {some}".encode())
    assert results(await world.ask_all()) == results(before)
    [file] = world.days.folder.glob("site=*/day=2026-06-11/*.parquet")
    file.unlink()
    world.days.db.execute("delete from events")
    lacking = await world.ask_all()
    world.days.db.execute(f"insert into events {some}".encode())
    assert await world.ask_all() == lacking
    assert lacking["by two"]["meta"]["missing_days"] == ["2026-06-11"]


async def test_of_days_that_are_gone_rollups_answer_and_the_rest_is_named(world: World) -> None:
    world.put()
    world.days.leave()
    before = await world.ask_all()
    put_setting(world.days.database, world.days.site_id, "keep_days", 18, NOON)
    world.days.keep_to_limits()
    assert world.days.states == ["gone", "gone", "file"]
    after = await world.ask_all()
    for name in ("totals", "by day", "by page", "ever since"):
        assert after[name]["results"] == before[name]["results"]
        assert "missing_days" not in after[name]["meta"]
    for name in NEED_ROWS:
        assert after[name]["meta"]["missing_days"] == ["2026-06-10", "2026-06-11"]


async def test_a_day_whose_file_cannot_be_read_is_named_and_not_counted_as_empty(
    world: World,
) -> None:
    world.put()
    world.days.leave()
    [file] = world.days.folder.glob("site=*/day=2026-06-11/*.parquet")
    file.unlink()
    found = await world.ask(QUESTIONS["filtered"])
    assert found["meta"]["missing_days"] == ["2026-06-11"]
    whole = await world.ask(QUESTIONS["totals"])
    assert "missing_days" not in whole["meta"]
