"""A journal day by day: what stays, what is sent, and what a death of the drain changes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infrastructure.local.redis_server import RedisServer
from tests.journal_world import STREAM, JournalWorld, journal_world, until

Start = Callable[..., RedisServer]


@pytest.fixture
def world(redis_server: Start, database: str, tmp_path: Path) -> Iterator[JournalWorld]:
    with journal_world(redis_server(), redis_server(), database, tmp_path / "state") as made:
        yield made


def test_every_batch_goes_by_the_spool_and_stays_there_when_it_is_stored(
    world: JournalWorld,
) -> None:
    world.post(3)
    assert world.edge.readiness()["stores_at"] == "spool"
    assert (world.length(world.spool), world.length(world.primary)) == (3, 0)
    world.edge.start_drain()
    world.writer.start()
    world.until_stored()
    world.until_held_is_past_all()
    assert world.length(world.spool) == 3
    until(lambda: world.drain_metric("millrace_journal_kept_batches") == 3)
    assert world.drain_metric("millrace_spool_batches") == 0
    assert world.drain_metric("millrace_journal_resent_batches_total") == 0


def test_a_spool_that_is_down_is_a_503_and_no_weaker_promise(world: JournalWorld) -> None:
    world.post()
    world.spool.kill()
    answer = world.edge.post()
    assert answer.status == 503
    assert world.length(world.primary) == 0
    world.spool.start()
    until(lambda: world.edge.post().status == 202)


@pytest.mark.parametrize("failpoint", ["drained:1", "drained:3", "trimmed:2"])
def test_a_drain_killed_at_any_step_loses_and_repeats_nothing(
    world: JournalWorld, failpoint: str
) -> None:
    world.writer.start()
    drain = world.edge.start_drain({"MILLRACE_FAILPOINT": failpoint})
    world.post(3)
    while drain.poll() is None:
        world.post()
        # Below the limit by address.
        time.sleep(0.02)
    world.post(3)
    world.edge.start_drain()
    world.until_stored()
    world.until_held_is_past_all()
    assert world.lost() == []


def test_a_restarted_drain_sends_nothing_again_that_it_noted(world: JournalWorld) -> None:
    world.writer.start()
    drain = world.edge.start_drain()
    world.post(5)
    world.until_held_is_past_all()
    drain.kill()
    drain.wait(20)
    world.edge.start_drain()
    world.post()
    world.until_held_is_past_all()
    assert world.drain_metric("millrace_drained_batches_total") == 1


def test_an_entry_that_no_writer_can_open_is_not_sent_for_ever(world: JournalWorld) -> None:
    world.post()
    with world.spool.client() as client:
        [(_, fields)] = client.xrange(STREAM)
        damaged: Any = {**fields, b"seq": b"2", b"body": b"nothing that opens"}
        client.xadd(STREAM, damaged)
    world.writer.start()
    world.edge.start_drain()
    world.until_stored()
    world.until_held_is_past_all()


def test_a_boot_that_is_over_is_closed_when_the_database_has_all_of_it(
    world: JournalWorld,
) -> None:
    world.post(3)
    world.edge.stop()
    assert len(list(world.edge.state.glob("*.boot"))) == 1
    world.edge.start_drain()
    world.until_sent()
    world.lose_primary()
    world.writer.start()
    world.until_stored()
    until(lambda: not list(world.edge.state.glob("*.boot")))
    assert [beat.ended for beat in world.boot_beats()] == [True]
    assert world.lost() == []
