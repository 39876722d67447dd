"""With a journal nothing goes with the primary's disk, a stale replica or a restored database."""

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

Start = Callable[..., RedisServer]


@pytest.fixture
def world(redis_server: Start, database: str, tmp_path: Path) -> Iterator[JournalWorld]:
    with journal_world(redis_server(), redis_server(), database, tmp_path / "state") as made:
        made.edge.start_drain()
        yield made


def test_a_primary_that_loses_its_disk_before_the_writer_read_it_loses_nothing(
    world: JournalWorld,
) -> None:
    world.post(10)
    world.until_sent()
    world.lose_primary()
    world.post(5)
    world.writer.start()
    world.until_stored()
    world.until_held_is_past_all()
    world.until_the_equation_holds()
    assert world.lost() == []
    # What came after the loss was sent once.
    assert world.drain_metric("millrace_journal_resent_batches_total") == 10


def test_a_stale_replica_that_is_promoted_loses_nothing(
    world: JournalWorld, tmp_path: Path
) -> None:
    world.writer.start()
    world.post(5)
    world.until_held_is_past_all()
    copy = world.copy_primary(tmp_path)
    world.post(5)
    world.until_stored()
    world.writer.stop()
    world.post(10)
    until(lambda: world.length(world.primary) >= 10)
    world.lose_primary(copy)
    world.writer.start()
    world.post(5)
    world.until_stored()
    world.until_held_is_past_all()
    world.until_the_equation_holds()
    assert world.lost() == []


def test_a_database_restored_from_a_backup_gets_back_what_came_since(
    world: JournalWorld, templates: Templates
) -> None:
    admin = templates.server.database_url("postgres")
    world.writer.start()
    world.post(5)
    world.until_held_is_past_all()
    world.writer.stop()
    copy_database(world.database, "backup_for_journal", admin)
    world.writer.start()
    world.post(10)
    world.until_held_is_past_all()
    world.until_stored()
    world.writer.stop()
    restore_from(world.database, "backup_for_journal", admin)
    assert len(world.stored()) == 5
    world.writer.start()
    world.until_stored()
    # Until they landed the ledger may have called them lost.
    until(lambda: not world.lost())
    world.until_held_is_past_all()
    world.until_the_equation_holds()
    assert world.drain_metric("millrace_journal_resent_batches_total") == 10
