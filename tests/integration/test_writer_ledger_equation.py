"""The equation of the ledger: it holds wherever a batch is, and names what is gone."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from infrastructure.cli import cli
from shared.keys import new_seal_key, read_private_keys
from tests.integration.ledger_world import World, made_world
from tests.writer_world import (
    NOON,
    SEAL_KEY,
    FakeEdge,
    client_id,
    envelope,
    put_site,
)
from writer.ledger.equation import EdgeSums
from writer.ledger.fold import fold_batches
from writer.quarantine.held import discard, find_held
from writer.quarantine.replay import Became, Replay
from writer.stream import stream_key

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(database: str, primary: str) -> AsyncIterator[World]:
    async with made_world(database, primary) as made:
        yield made


def totals(sums: EdgeSums) -> tuple[int, int, int, int, int, int]:
    """received, stored, duplicate, quarantined, in flight, spooled; edge drops left out."""
    assert sums.dropped == ({"dnt": 2} if sums.dropped else {})
    received = sums.received - sum(sums.dropped.values())
    assert received == sums.stored + sums.duplicate + sums.quarantined + (
        sums.in_flight + sums.spooled
    )
    rest = (sums.stored, sums.duplicate, sums.quarantined, sums.in_flight, sums.spooled)
    return received, *rest


async def test_it_holds_through_an_outage_its_drain_and_a_redelivery(world: World) -> None:
    live, spooled, later = (world.acknowledge(n) for n in (1, 2, 3))
    world.pipe.put(live)
    await world.tell(1)
    assert totals(world.sums()) == (6, 1, 0, 0, 0, 5)
    drained = [world.send(spooled), world.send(later), world.send(spooled)]
    assert totals(world.sums()) == (6, 1, 0, 0, 5, 0)
    world.pipe.put(spooled)
    assert totals(world.sums()) == (6, 3, 0, 0, 3, 0)
    world.pipe.put(later, spooled, live)
    world.redis.xdel(stream_key("e1"), *drained)
    await world.tell(3)
    assert fold_batches(world.db) == 3
    world.pipe.put(later)
    sums = world.sums()
    assert (totals(sums), sums.holds) == ((6, 6, 0, 0, 0, 0), True)


async def test_what_is_newer_than_the_heartbeat_is_received_too(world: World) -> None:
    await world.tell(0)
    stored, waiting = world.acknowledge(2), world.acknowledge(1)
    world.pipe.put(stored)
    world.send(waiting)
    sums = world.sums()
    assert (totals(sums), sums.holds) == ((3, 2, 0, 0, 1, 0), True)


async def test_a_killed_worker_and_a_number_given_up_that_landed_leave_it_whole(
    world: World,
) -> None:
    counted = world.acknowledge(1)
    await world.tell(1)
    uncounted, landed = world.acknowledge(2), world.edge.entry([envelope()])
    world.pipe.put(counted, uncounted, landed)
    closed = {"last_acked": 2, "counted_to": 1, "void": ((3, 3),), "ended": True}
    world.received = 1
    await world.tell(3, **closed)
    before = world.sums()
    assert fold_batches(world.db) == 3
    assert world.sums() == before
    assert (totals(before), before.holds) == ((4, 4, 0, 0, 0, 0), True)


async def test_duplicates_and_quarantine_are_on_its_right_side_by_site(world: World) -> None:
    same = client_id(1)
    late = world.acknowledge(1, id=same, received_at=NOON + 9)
    early = world.acknowledge(2, id=same)
    poison = world.acknowledge(1, body=b"junk")
    damaged = world.acknowledge(3)
    world.pipe.put(late)
    world.pipe.put(early, poison, damaged._replace(fields={**damaged.fields, b"body": b"?"}))
    await world.tell(4)
    sums = world.sums()
    assert (totals(sums), sums.holds) == ((7, 1, 2, 4, 0, 0), True)
    [site] = sums.sites
    assert (site.received, site.stored, site.duplicate, site.quarantined) == (9, 1, 2, 1)
    assert (site.under_way, site.dropped) == (3, {"dnt": 2})


async def test_a_deleted_entry_makes_the_verb_exit_1_and_name_boot_and_number(
    world: World, database: str, primary: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path))
    monkeypatch.setenv("MILLRACE_POSTGRES_URL", database)
    monkeypatch.setenv("MILLRACE_PRIMARY_URL", primary)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["ledger", *words], prog_name="millrace")
        return result.exit_code, result.output

    stored, gone = world.acknowledge(1), world.acknowledge(2)
    world.pipe.put(stored)
    entry_id = world.send(gone)
    await world.tell(2)
    code, output = run()
    assert (code, "The equation holds." in output) == (0, True), output
    world.redis.xdel(stream_key("e1"), entry_id)
    code, output = run()
    assert code == 1
    assert "e1, boot 000000000abc, numbers 2 (2 events): acknowledged, and nowhere" in output
    code, output = run("--json", "--edge", "e1")
    [found] = json.loads(output)["edges"]
    assert (code, found["holds"], found["missing"][0]["numbers"]) == (1, False, [[2, 2]])
    assert run("--edge", "nobody") == (1, "Error: There is no edge nobody: `edge list` shows them"
        " all.\n")  # fmt: skip


async def test_events_that_the_edge_counted_and_no_batch_holds_break_it(world: World) -> None:
    world.pipe.put(world.acknowledge(2))
    world.received += 1
    await world.tell(1)
    [missing] = world.sums().missing
    assert (missing.events, missing.why) == (1, "the edge counted other events than are there")


async def test_outcomes_that_do_not_add_up_break_it(world: World) -> None:
    world.pipe.put(world.acknowledge(2))
    await world.tell(1)
    world.db.execute("update ledger_count set events = events - 1")
    [missing] = world.sums().missing
    assert missing.why == "the outcomes of events do not add up to the stored batches"


async def test_it_holds_before_and_after_a_replay_and_a_discard(world: World) -> None:
    keys = read_private_keys(SEAL_KEY)
    replay = Replay(world.db, keys, world.pipe.preparer, world.pipe.store)
    early = [world.acknowledge(1, site="late.example") for _ in range(3)]
    other_key = FakeEdge(boot=world.edge.boot, seq=3, seal_key=new_seal_key())
    world.edge.seq += 1
    world.received += 2
    world.pipe.put(*early, other_key.entry([envelope(), envelope()]))
    await world.tell(4)
    assert (totals(world.sums()), world.sums().holds) == ((5, 0, 0, 5, 0, 0), True)
    put_site(world.database, "late.example")
    first, second, *_ = find_held(world.db, "unknown_site")
    assert replay.replay(first).became is Became.STORED
    assert replay.replay(first).became is Became.CLOSED
    assert (totals(world.sums()), world.sums().holds) == ((5, 1, 0, 4, 0, 0), True)
    assert discard(world.db, [second]) == 1
    sums = world.sums()
    assert (sums.dropped, sums.quarantined, sums.holds) == ({"discarded": 1, "dnt": 2}, 3, True)
