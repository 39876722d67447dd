"""Numbers that only a batch has named as given up: a worker died before its next heartbeat."""

from dataclasses import replace

import psycopg
import pytest
from redis import Redis

from tests.writer_world import FakeEdge, Pipe, envelope, put_edge
from writer.ledger.equation import read_edge
from writer.prepare import Entry


@pytest.fixture
def pipe(database: str, pipe: Pipe) -> Pipe:
    put_edge(database)
    return pipe


def void_of(database: str, boot: int) -> str:
    """As PostgreSQL writes it; empty without a row."""
    with psycopg.connect(database) as db:
        found = db.execute("select void::text from boot where boot = %s", [boot]).fetchone()
    return found[0] if found else ""


def batches(edge: FakeEdge) -> list[Entry]:
    """1, then 5, which names 2 to 4; then 6, which names nothing."""
    return [
        edge.entry_at(1, [envelope()]),
        edge.entry_at(5, [envelope()], void=(2, 3, 4)),
        edge.entry_at(6, [envelope()]),
    ]


def test_numbers_that_a_stored_batch_names_are_no_loss(
    database: str, primary: str, pipe: Pipe
) -> None:
    edge = FakeEdge(boot=7)
    pipe.put(*batches(edge))
    with Redis.from_url(primary) as redis, psycopg.connect(database, autocommit=True) as db:
        # As the ledger stores what the drain says of a dead worker.
        db.execute(
            "insert into boot (edge, boot, low, last_acked, ended) values ('e1', 7, 6, 6, true)"
            " on conflict (edge, boot) do update set low = 6, last_acked = 6, ended = true"
        )
        assert read_edge(db, redis, "e1").missing == ()
    assert void_of(database, edge.boot) == "{[2,5)}"


def test_what_several_batches_name_is_put_together(database: str, pipe: Pipe) -> None:
    edge = FakeEdge(boot=8)
    pipe.put(
        edge.entry_at(3, [envelope()], void=(1, 2)),
        edge.entry_at(5, [envelope()], void=(4,)),
        replace(edge, boot=9).entry_at(2, [envelope()], void=(1,)),
    )
    pipe.put(edge.entry_at(7, [envelope()], void=(4, 6)))
    assert void_of(database, 8) == "{[1,3),[4,5),[6,7)}"
    assert void_of(database, 9) == "{[1,2)}"


def test_a_boot_that_gave_up_nothing_gets_no_row(database: str, pipe: Pipe) -> None:
    edge = FakeEdge(boot=10)
    pipe.put(edge.entry([envelope()]))
    assert void_of(database, 10) == ""
