"""A journal that is switched on or off over a backlog, and one whose spool is short of room."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infrastructure.local.redis_server import RedisServer
from tests.edge_processes import EdgeProcesses
from tests.journal_world import JournalWorld, journal_world, until

Start = Callable[..., RedisServer]


@pytest.fixture
def world(redis_server: Start, database: str, tmp_path: Path) -> Iterator[JournalWorld]:
    with journal_world(redis_server(), redis_server(), database, tmp_path / "state") as made:
        yield made


def restart_edge(world: JournalWorld, journal: str) -> EdgeProcesses:
    """Edge and drain end, and their next life has the journal on or off."""
    world.edge.stop()
    world.edge.env["MILLRACE_EDGE_JOURNAL"] = journal
    world.edge.start_edge()
    until(lambda: world.edge.readiness()["ready"])
    return world.edge


def test_a_backlog_is_drained_when_the_journal_is_switched_off(world: JournalWorld) -> None:
    world.writer.start()
    world.edge.start_drain()
    world.post(3)
    world.until_held_is_past_all()
    world.primary.kill()
    world.post(4)
    edge = restart_edge(world, "off")
    edge.start_drain()
    world.post(2)
    world.primary.start()
    world.until_stored()
    until(lambda: world.length(world.spool) == 0)
    with world.spool.client() as client:
        assert not client.exists("journal:test")
    assert world.lost() == []


def test_a_backlog_is_sent_and_kept_when_the_journal_is_switched_on(
    redis_server: Start, database: str, tmp_path: Path
) -> None:
    with journal_world(
        redis_server(), redis_server(), database, tmp_path / "state", edge_journal="off"
    ) as world:
        world.writer.start()
        world.post(2)
        world.primary.kill()
        world.post(4)
        edge = restart_edge(world, "on")
        edge.start_drain()
        world.post(2)
        world.primary.start()
        world.until_stored()
        world.until_held_is_past_all()
        assert world.length(world.spool) == 6
        assert world.lost() == []


def test_what_is_kept_goes_first_when_the_spool_is_short_of_room(
    redis_server: Start, database: str, tmp_path: Path
) -> None:
    bound = 8 * 1024 * 1024
    primary, spool = redis_server(), redis_server(bound)
    with journal_world(
        primary, spool, database, tmp_path / "state", spool_max_bytes=str(bound)
    ) as world:
        world.writer.start()
        world.edge.start_drain()
        # A site that no snapshot vouches for may take but a tenth of the spool.
        until(lambda: "millrace_edge_snapshot_version 0.0" not in world.edge.metrics())
        for _ in range(3):
            for _ in range(30):
                world.post(props={f"p{n}": unpackable(n) for n in range(25)})
            world.until_held_is_past_all()
        world.until_stored()
        until(lambda: world.length(spool) < len(world.receipts))
        assert world.lost() == []


def unpackable(seed: int) -> str:
    """Text that hardly packs."""
    return secrets.token_urlsafe(1_400) + str(seed)
