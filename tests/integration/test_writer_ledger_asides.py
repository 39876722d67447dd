"""Entries set aside whole in the equation: discarded, and with plain headers that nobody proves."""

from collections.abc import AsyncIterator

import pytest

from shared.keys import new_seal_key
from tests.integration.ledger_world import World, made_world
from tests.writer_world import FakeEdge, envelope
from writer.ledger.equation import EdgeSums
from writer.ledger.fold import fold_batches, read_asides
from writer.quarantine.held import discard, find_held

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(database: str, primary: str) -> AsyncIterator[World]:
    async with made_world(database, primary) as made:
        yield made


def damaged(world: World, events: int, **fields: bytes) -> None:
    """Acknowledged, and damaged on its way."""
    entry = world.acknowledge(events)
    changed = {name.encode(): value for name, value in fields.items()}
    world.pipe.put(entry._replace(fields={**entry.fields, b"body": b"?", **changed}))


def totals(sums: EdgeSums) -> tuple[int, int, int, int, bool]:
    """received without what the edge dropped, stored, discarded, quarantined; whether it holds."""
    assert sums.received == sums.stored + sums.quarantined + sum(sums.dropped.values()) + (
        sums.in_flight + sums.spooled
    )
    discarded = sums.dropped.get("discarded", 0)
    received = sums.received - sum(sums.dropped.values()) + discarded
    return received, sums.stored, discarded, sums.quarantined, sums.holds


async def test_a_whole_entry_that_is_discarded_leaves_the_quarantined(world: World) -> None:
    world.pipe.put(world.acknowledge(2))
    damaged(world, 3)
    damaged(world, 4)
    await world.tell(3)
    assert totals(world.sums()) == (9, 2, 0, 7, True)
    assert discard(world.db, find_held(world.db, None)[:1]) == 1
    assert totals(world.sums()) == (9, 2, 3, 4, True)
    fold_batches(world.db)
    for _ in range(3):
        await world.ledger.look_for_losses()
    assert totals(world.sums()) == (9, 2, 3, 4, True)
    assert discard(world.db, find_held(world.db, None)) == 1
    assert totals(world.sums()) == (9, 2, 7, 0, True)


@pytest.mark.parametrize("n", [b"2000000000", b"65537", b"60000", b"9", b"1", b"0"])
@pytest.mark.parametrize("is_discarded", [False, True])
async def test_of_what_the_edge_has_counted_no_forged_header_is_believed(
    world: World, n: bytes, is_discarded: bool
) -> None:
    world.pipe.put(world.acknowledge(2))
    damaged(world, 3, n=n)
    await world.tell(2)
    if is_discarded:
        discard(world.db, find_held(world.db, None))
    expected = (5, 2, 3, 0, True) if is_discarded else (5, 2, 0, 3, True)
    assert totals(world.sums()) == expected


async def test_a_forged_header_does_not_hide_what_is_spooled(world: World) -> None:
    damaged(world, 3, n=b"60000")
    world.acknowledge(4)
    await world.tell(1)
    sums = world.sums()
    assert (sums.received - 2, sums.holds) == (7, True)
    assert sums.spooled >= 1


async def test_a_damaged_entry_excuses_no_batch_that_is_lost(world: World) -> None:
    damaged(world, 3, n=b"1")
    world.acknowledge(4)
    await world.tell(2)
    [missing] = world.sums().missing
    assert missing.numbers == ((2, 2),)


async def test_an_entry_of_a_boot_that_nobody_knows_counts_as_no_more_than_a_batch_holds(
    world: World,
) -> None:
    stranger = FakeEdge(boot=0xDEF, seal_key=new_seal_key())
    for n in (b"2000000000", b"-7", b"65536"):
        entry = stranger.entry([envelope()])
        world.pipe.put(entry._replace(fields={**entry.fields, b"n": n}))
    assert [header.n for header in read_asides(world.db, "e1")] == [0, 0, 65_536]
    assert totals(world.sums()) == (65_536, 0, 0, 65_536, True)
