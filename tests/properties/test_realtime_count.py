"""What the database counts of a site's rows is what following them one by one counts."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime.commits import Commits
from realtime.database import Database
from realtime.hub import Hub
from realtime.row import Row
from tests.integration.live_world import event, put_within
from tests.unit.realtime.live_rows import NOW_MS

pytestmark = pytest.mark.anyio

NOW = datetime.fromtimestamp(NOW_MS / 1_000, UTC)
EVENTS: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    ago_ms=st.integers(-120_000, 2_000_000) | st.integers(290_000, 310_000),
    visitor=st.none() | st.integers(1, 6),
    name=st.sampled_from(["pageview", "pageview", "signup", "engagement"]),
    bot=st.sampled_from([None, None, None, "curl"]),
    page=st.sampled_from([f"/{c}" for c in "abcdefghijklmn"]),
    source=st.sampled_from(["", "Google", "ChatGPT"]),
    country=st.sampled_from(["", "CH", "FR"]),
    goes=st.booleans(),
)
COMMITS = st.lists(st.lists(EVENTS, min_size=1, max_size=8), min_size=1, max_size=5)


def stored(url: str, site: int, commits: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Write the commits, then one more in which some of their rows go."""
    written: list[dict[str, Any]] = []
    for events in commits:
        rows = [
            event(**{**each, "site_id": site, "ts": NOW - timedelta(milliseconds=each["ago_ms"])})
            for each in events
        ]
        with psycopg.connect(url) as connection:
            commit = put_within(connection, rows)
        written += [{**each, "commit": commit} for each in rows]
    with psycopg.connect(url) as connection:
        out = put_within(connection, [event(site_id=site + 1, ts=NOW)])
        gone = [each["event_id"] for each in written if each["goes"]]
        connection.execute(
            "UPDATE events SET commit_out = %s WHERE event_id = ANY(%s)", [out, gone]
        )
    return [{**each, "out": out if each["goes"] else None} for each in written]


def followed(rows: list[dict[str, Any]], last: int, settled: int) -> Hub:
    hub = Hub()
    for each in rows:
        if last < each["commit"] <= settled and (each["out"] is None or each["out"] > settled):
            hub.take([as_row(each)])
    return hub


def as_row(of: dict[str, Any]) -> Row:
    return Row(
        site_id=of["site_id"],
        event_id=str(UUID(int=0)),
        ts_ms=NOW_MS - of["ago_ms"],
        stored_ms=NOW_MS,
        visitor=of["visitor"],
        name=of["name"],
        bot=of["bot"],
        hostname="",
        page=of["page"],
        source=of["source"],
        country=of["country"],
        browser="",
        os="",
        device="",
    )


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(COMMITS, st.integers(0, 400_000))
async def test_the_database_counts_what_following_counts(
    database: str, commits: list[list[dict[str, Any]]], passed_ms: int
) -> None:
    site = uuid4().int % 1_000_000_000 * 2
    rows = stored(database, site, commits)
    numbers = sorted({each["commit"] for each in rows})
    out = rows[0]["out"] or next((each["out"] for each in rows if each["out"]), numbers[-1] + 1)
    following = Database(database)
    for last, settled in [(0, numbers[-1]), (numbers[0], numbers[-1]), (0, out)]:
        counted = await Commits(following).count(site, last, settled, NOW_MS)
        assert counted.view(NOW_MS + passed_ms) == followed(rows, last, settled).view(
            NOW_MS + passed_ms
        )
    await following.close()
