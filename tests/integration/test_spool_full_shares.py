"""One site fills its share of the spool, and nobody else's: on real servers."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.spool.shares import Segment
from tests.edge_processes import edge_processes, wait_for
from tests.spool_world import NOISY, QUIET, RECOVERS_WITHIN_S, SpoolWorld, Start

BOUND = 16_000_000


def written_bytes(world: SpoolWorld) -> int:
    """What the account in the spool adds up to."""
    with world.spool.client() as client:
        fields: Any = client.hgetall("shares:test")
    return sum(msgspec.msgpack.decode(packed, type=Segment).bytes for packed in fields.values())


@pytest.fixture
def world(redis_server: Start, tmp_path: Path) -> Iterator[SpoolWorld]:
    primary, spool = redis_server(), redis_server()
    bound = {"spool_max_bytes": str(BOUND)}
    with edge_processes(primary.url, spool.url, tmp_path / "state", **bound) as edge:
        edge.start_edge()
        yield SpoolWorld(primary, spool, edge)


def test_a_site_over_its_half_is_refused_alone_also_after_restarts(world: SpoolWorld) -> None:
    world.give_snapshot()
    world.primary.kill()
    answer = world.post_until_refused(NOISY)
    assert "site" in answer.json["error"]["message"]
    assert BOUND * 0.4 < world.spooled_bytes() < BOUND * 0.6
    assert world.post(QUIET).status == 202
    world.edge.stop()
    world.spool.kill()
    world.spool.start()
    world.edge.start_edge()
    assert world.post(QUIET).status == 202
    assert world.post(NOISY).status == 503
    world.drain_all()
    assert world.voids() == set()


def test_a_worker_in_place_of_a_killed_one_knows_what_that_took(world: SpoolWorld) -> None:
    world.give_snapshot()
    world.primary.kill()
    world.post_until_refused(NOISY)
    wait_for(lambda: written_bytes(world) > BOUND * 0.45)
    killed = world.edge.worker_pids()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: (pids := world.edge.worker_pids()) and not set(pids) & set(killed))
    wait_for(lambda: world.edge.readiness()["stores_at"] == "spool")
    assert world.post(NOISY).status == 503
    assert world.post(QUIET).status == 202
    world.drain_all()


def test_the_share_comes_back_with_the_drain_and_without_a_hand(world: SpoolWorld) -> None:
    world.give_snapshot()
    world.primary.kill()
    world.post_until_refused(NOISY)
    world.drain_all()
    wait_for(lambda: world.edge.readiness()["stores_at"] == "primary")
    world.primary.kill()
    assert world.seconds_until_taken(NOISY) < RECOVERS_WITHIN_S
    world.drain_all()


def test_sites_that_nobody_vouches_for_share_a_tenth(world: SpoolWorld) -> None:
    world.primary.kill()
    world.post_until_refused("made-up.example")
    assert world.post("another.example").status == 503
    assert world.spooled_bytes() < BOUND * 0.15
    world.drain_all()


def test_two_workers_keep_to_one_share(redis_server: Start, tmp_path: Path) -> None:
    primary, spool = redis_server(), redis_server()
    settings = {"spool_max_bytes": str(BOUND), "edge_workers": "2"}
    with edge_processes(primary.url, spool.url, tmp_path / "state", **settings) as edge:
        edge.start_edge()
        wait_for(lambda: edge.readiness()["workers"] == 2)
        world = SpoolWorld(primary, spool, edge)
        world.give_snapshot()
        primary.kill()
        # A worker may know a second less than the other: each may not take all of it meanwhile.
        answers = {world.post(NOISY).status for _ in range(50)}
        while answers != {503}:
            wait_for(lambda: written_bytes(world) >= world.spooled_bytes())
            answers = {world.post(NOISY).status for _ in range(12)}
        assert BOUND * 0.4 < world.spooled_bytes() < BOUND * 0.75
        world.drain_all()
