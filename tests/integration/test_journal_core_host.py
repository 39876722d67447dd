"""The whole core host comes back from a backup: with a journal, what ended since is told again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infrastructure.local.redis_server import RedisServer
from infrastructure.local.templates import Templates
from tests.journal_world import (
    JournalWorld,
    copy_database,
    journal_world,
    restore_from,
    until,
)
from tests.writer_world import rows

Start = Callable[..., RedisServer]
_BACKUP = "backup_of_core_host"


@pytest.fixture
def world(redis_server: Start, database: str, tmp_path: Path) -> Iterator[JournalWorld]:
    with journal_world(redis_server(), redis_server(), database, tmp_path / "state") as made:
        yield made


def end_boot(world: JournalWorld) -> None:
    """The worker ends when it has told all its counts; the database knows it; another begins."""
    until(lambda: received(world) == len(world.receipts))
    world.edge.stop()
    world.edge.start_drain()
    until(lambda: not list(world.edge.state.glob("*.boot")))
    world.edge.start_edge()


def boots(world: JournalWorld) -> dict[int, bool]:
    """Whether the database knows them to be over."""
    return dict(rows(world.database, "select boot, ended from boot"))


def received(world: JournalWorld) -> int:
    [(count,)] = rows(
        world.database, "select sum(events)::int from edge_count where outcome = 'received'"
    )
    return int(count or 0)


@pytest.mark.parametrize("primary_too", [True, False])
def test_boots_that_ended_after_the_backup_are_closed_and_counted_again(
    world: JournalWorld, templates: Templates, *, primary_too: bool
) -> None:
    admin = templates.server.database_url("postgres")
    world.edge.start_drain()
    world.writer.start()
    world.post(3)
    world.until_held_is_past_all()
    world.writer.stop()
    name = f"{_BACKUP}_{primary_too}".lower()
    copy_database(world.database, name, admin)
    world.writer.start()
    # The first boot runs at the time of the backup, the second is born and over after it.
    for _ in range(2):
        world.post(4)
        end_boot(world)
    world.post(2)
    world.until_stored()
    world.until_held_is_past_all()
    # The writer copies the last words a moment after the drain has written them.
    until(lambda: sorted(boots(world).values()) == [False, True, True])
    before = boots(world)
    world.writer.stop()
    restore_from(world.database, name, admin)
    if primary_too:
        world.lose_primary()
    else:
        forget_last_words(world)
    world.writer.start()
    world.until_stored()
    until(lambda: boots(world) == before)
    until(lambda: received(world) == len(world.receipts))
    world.until_the_equation_holds()
    until(lambda: not world.lost())


def forget_last_words(world: JournalWorld) -> None:
    """As the writer does when they are a day old."""
    over = [boot for boot, beat in world.beats_by_boot().items() if beat.ended]
    with world.primary.client() as client:
        client.hdel("heartbeat:test", *[f"{boot:012x}" for boot in over])
