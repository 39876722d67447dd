"""Stored batches become ranges, and a number that is nowhere is a loss with a name."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import msgspec
import psycopg
import pytest
from redis.asyncio import Redis

from shared.heartbeat import BootBeat, redis_key
from shared.metrics import LEDGER_LOST_BATCHES
from tests.writer_world import NOON, FakeEdge, Pipe, client_id, envelope, put_site, rows
from writer.known.zones import moment
from writer.ledger.fold import fold_batches
from writer.ledger.keeper import Ledger
from writer.prepare import Entry
from writer.stream import stream_key

pytestmark = pytest.mark.anyio


@pytest.fixture
def db(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


async def tell(redis: Redis, edge: FakeEdge, low: int, **more: Any) -> None:
    """The edge's next heartbeat."""
    told = {"at": NOON, "low_time": NOON, "last_acked": low, "counted_to": low, **more}
    beat = BootBeat(low=low, **told)
    await redis.hset(redis_key(edge.name), f"{edge.boot:012x}", msgspec.msgpack.encode(beat))


async def in_stream(redis: Redis, entry: Entry) -> Any:
    fields: dict[Any, Any] = dict(entry.fields)
    return await redis.xadd(stream_key(entry.edge), fields)


def lost(database: str) -> str:
    return str(rows(database, "select lost::text from boot")[0][0])


async def test_what_was_folded_is_still_recognised(
    database: str, pipe: Pipe, redis: Redis, ledger: Ledger, db: psycopg.Connection[Any]
) -> None:
    edge = FakeEdge()
    entries = [edge.entry([envelope(), envelope()]) for _ in range(5)]
    pipe.put(*entries)
    await tell(redis, edge, 4)
    await ledger.copy_heartbeats()
    assert fold_batches(db) == 4
    found = "select stored::text, folded_events, uncounted_events from boot"
    assert rows(database, found) == [("{[1,5)}", 8, 0)]
    assert rows(database, "select seq from batch") == [(5,)]
    [outcome] = pipe.put(*entries)
    assert (outcome.stored, outcome.new_batches, outcome.repeated_batches) == (0, 0, 5)
    assert rows(database, "select seq from batch") == [(5,)]
    assert fold_batches(db) == 0


async def test_a_batch_that_comes_again_while_it_is_being_folded_is_not_new(
    database: str, pipe: Pipe, redis: Redis, ledger: Ledger
) -> None:
    edge = FakeEdge()
    entry = edge.entry([envelope()])
    pipe.put(entry)
    await tell(redis, edge, 1)
    await ledger.copy_heartbeats()
    outcomes: list[Any] = []
    again = threading.Thread(target=lambda: outcomes.extend(pipe.put(entry)))
    with (
        psycopg.connect(database, autocommit=True) as look,
        psycopg.connect(database) as folding,
        folding.transaction(),
    ):
        assert fold_batches(folding) == 1
        again.start()
        waiting = "select count(*) from pg_locks where not granted"
        while look.execute(waiting).fetchone() == (0,):
            assert again.is_alive()
            await anyio.sleep(0.01)
    await anyio.to_thread.run_sync(again.join)
    assert [(o.stored, o.repeated_batches) for o in outcomes] == [(0, 1)]
    assert rows(database, "select count(*) from batch") == [(0,)]
    assert rows(database, "select count(*) from events") == [(1,)]


async def test_an_acknowledged_number_that_is_nowhere_is_lost_once_and_named(
    database: str, pipe: Pipe, redis: Redis, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    edge = FakeEdge(boot=0xABC)
    entries = [edge.entry([envelope()]) for _ in range(4)]
    pipe.put(entries[0], entries[3])
    await tell(redis, edge, 4, void=((2, 2),))
    await ledger.copy_heartbeats()
    with caplog.at_level(logging.ERROR, "writer"):
        for _ in range(4):
            await ledger.look_for_losses()
    assert lost(database) == "{[3,4)}"
    said = [each.getMessage() for each in caplog.records if each.name == "writer"]
    assert said == ["acknowledged batches are lost: edge e1, boot 000000000abc, numbers 3"]
    assert LEDGER_LOST_BATCHES.labels("e1")._value.get() == 1
    pipe.put(entries[2])
    for _ in range(2):
        await ledger.look_for_losses()
    assert lost(database) == "{}"
    assert LEDGER_LOST_BATCHES.labels("e1")._value.get() == 0


async def test_what_waits_in_the_stream_is_not_lost_until_the_stream_is_past_it(
    database: str, pipe: Pipe, redis: Redis, ledger: Ledger
) -> None:
    edge = FakeEdge()
    first, second = (edge.entry([envelope()]) for _ in range(2))
    waiting, later = await in_stream(redis, first), await in_stream(redis, second)
    await tell(redis, edge, 2)
    await ledger.copy_heartbeats()
    for _ in range(3):
        await ledger.look_for_losses()
    assert lost(database) == "{}"
    pipe.put(first)
    await redis.xdel(stream_key("e1"), waiting)
    for _ in range(2):
        await ledger.look_for_losses()
    assert lost(database) == "{}"
    await redis.xdel(stream_key("e1"), later)
    for _ in range(2):
        await ledger.look_for_losses()
    assert lost(database) == "{[2,3)}"


async def test_an_entry_set_aside_whole_is_not_lost(
    database: str, pipe: Pipe, redis: Redis, ledger: Ledger
) -> None:
    edge = FakeEdge()
    entry = edge.entry([envelope()])
    pipe.put(entry._replace(fields={**entry.fields, b"body": b"damaged"}))
    await tell(redis, edge, 1)
    await ledger.copy_heartbeats()
    for _ in range(3):
        await ledger.look_for_losses()
    assert rows(database, "select lost::text, aside::text from boot") == [("{}", "{[1,2)}")]


async def test_a_heartbeat_out_of_range_hides_no_other_boot(
    database: str, redis: Redis, ledger: Ledger
) -> None:
    await tell(redis, FakeEdge(boot=1), 2**63)
    await tell(redis, FakeEdge(boot=2), 3, counts={"example.com": {"received": 7}})
    await ledger.copy_heartbeats()
    assert rows(database, "select boot, low from boot") == [(2, 3)]
    await tell(redis, FakeEdge(boot=1), 5, counts={"example.com": {"received": 2}})
    await ledger.copy_heartbeats()
    assert rows(database, "select boot, events from edge_count order by boot") == [(1, 2), (2, 7)]


async def test_a_boot_is_final_up_to_its_low_time_while_nothing_at_or_below_low_is_missing(
    database: str, pipe: Pipe, redis: Redis, ledger: Ledger
) -> None:
    edge = FakeEdge()
    first, second = edge.entry([envelope()]), edge.entry([envelope()])
    pipe.put(first)
    await tell(redis, edge, 1)
    await ledger.copy_heartbeats()
    await tell(redis, edge, 2, low_time=NOON + 5)
    await ledger.copy_heartbeats()
    assert rows(database, "select final_until from boot") == [(moment(NOON),)]
    pipe.put(second)
    await ledger.copy_heartbeats()
    assert rows(database, "select final_until from boot") == [(moment(NOON + 5),)]


async def test_a_retired_edge_that_is_heard_again_has_returned(
    database: str, redis: Redis, ledger: Ledger, db: psycopg.Connection[Any]
) -> None:
    edge = FakeEdge()
    await tell(redis, edge, 1)
    await ledger.copy_heartbeats()
    db.execute("update edge set retired_at = %s", (moment(NOON + 1),))
    await ledger.copy_heartbeats()
    assert rows(database, "select retired_at from edge") == [(moment(NOON + 1),)]
    await tell(redis, edge, 1, at=NOON + 2)
    await ledger.copy_heartbeats()
    assert rows(database, "select retired_at from edge") == [(None,)]


async def test_what_became_of_events_is_counted_by_boot_and_site_once(
    database: str, pipe: Pipe
) -> None:
    put_site(database, "other.example")
    edge = FakeEdge()
    same = client_id(1)
    first = edge.entry([envelope(id=same, received_at=NOON + 5), envelope(site="other.example")])
    pipe.put(first)
    pipe.put(
        first,
        edge.entry([envelope(id=same), envelope(site="nobody.example"), envelope(body=b"junk")]),
    )
    pipe.put(first)
    counted = "select site, outcome, events from ledger_count where events <> 0 order by 1, 2"
    assert rows(database, counted) == [
        ("example.com", "duplicate", 1),
        ("example.com", "quarantined", 1),
        ("example.com", "stored", 1),
        ("nobody.example", "quarantined", 1),
        ("other.example", "stored", 1),
    ]
