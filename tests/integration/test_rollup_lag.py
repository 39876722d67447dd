"""The rollups keep up with a writer that takes in as fast as it can, for it gives way to them."""

import anyio
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from shared.envelope import Envelope
from tests.rollup_world import connect
from tests.writer_streams import LOADED_S, send, until, until_emptied
from tests.writer_world import (
    NOON,
    SITE,
    FakeEdge,
    envelope,
    put_edge,
    put_site,
    rows,
    standing,
    writer_settings,
)
from writer.app import Writer, running_writer
from writer.database.locks import Lock, waiting
from writer.rollups.rebuild import find_days, verify
from writer.rollups.sums import Sums

pytestmark = pytest.mark.anyio

A_BATCH = 500
_PROGRESS = "SELECT commit_no FROM rollup_progress"
_LOOKED = "SELECT looked_at IS NOT NULL FROM rollup_progress"
_STORED = "SELECT coalesce(max(commit_no), 0) FROM commits"


@pytest.fixture
def world(database: str) -> str:
    put_site(database)
    put_edge(database)
    return database


async def test_a_writer_gives_way_while_the_rollups_are_behind_and_stores_all_the_same(
    world: str, primary: str, redis: Redis
) -> None:
    edge = FakeEdge()
    async with running_writer(writer_settings(world, primary)) as writer:
        # The stage holds it for a moment whenever it looks.
        with connect(world) as other, waiting(other, Lock.ROLLUPS):
            await send(redis, edge.entry([envelope()]))
            await until(lambda: _gives_way(writer), "it gives way")
            assert _behind_s() > 1
            await send(redis, *(edge.entry([envelope()]) for _ in range(10)))
            await until_emptied(redis)
            assert len(standing(world)) == 11
        await until(lambda: not _gives_way(writer), "it goes on")
        await until(lambda: rows(world, _PROGRESS) == rows(world, _STORED), "it is rolled up")
        await until(lambda: _behind_s() == 0, "the metric says so")


def _behind_s() -> float:
    """As it is shown to whoever looks at the writer's metrics."""
    shown = REGISTRY.get_sample_value("millrace_rollup_behind_seconds")
    assert shown is not None
    return shown


def _gives_way(writer: Writer) -> bool:
    assert writer.rollups is not None
    return writer.rollups.give_way_s(1.0) > 0


async def test_a_writer_that_gives_way_stops_at_once(
    world: str, primary: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("writer.rollups.stage.give_way_s", lambda *_: 3_600.0)
    await send(redis, FakeEdge().entry([envelope()]))
    with anyio.fail_after(LOADED_S):
        async with running_writer(writer_settings(world, primary)):
            await until_emptied(redis)
    assert len(standing(world)) == 1


async def test_the_rollups_follow_while_a_writer_takes_in_a_backlog(
    world: str, primary: str, redis: Redis
) -> None:
    edge = FakeEdge()
    backlog = [
        edge.entry([_seen(number) for number in range(first, first + A_BATCH)])
        for first in range(0, 40_000, A_BATCH)
    ]
    async with running_writer(writer_settings(world, primary)):
        # Its process takes a while to start, and the backlog not much longer.
        await until(lambda: rows(world, _LOOKED) == [(True,)], "the stage looks")
        await send(redis, *backlog)
        await until_emptied(redis)
        held_by_then = rows(world, _PROGRESS)
        await until(lambda: rows(world, _PROGRESS) == rows(world, _STORED), "they are rolled up")
    assert held_by_then > [(0,)]
    with connect(world) as connection:
        for of in find_days(connection):
            assert verify(connection, of, Sums()) is None


def _seen(number: int) -> Envelope:
    """Two beacons a visitor."""
    ip = f"10.{number // 50_000}.{number // 200 % 250}.{number // 2 % 100}"
    url = f"https://{SITE}/{number % 97}"
    return envelope(received_at=NOON + number * 10_000, ip=ip, url=url)
