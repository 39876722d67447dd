"""An event that waits for its day is in flight: the ledger, the trace and the writer know it."""

from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest

from shared import receipt
from shared.clock import US_PER_DAY
from tests.integration.api_service import api_service
from tests.integration.ledger_world import World, made_world
from tests.integration.live_world import wait_until
from tests.writer_world import NOON, FakeEdge, Pipe, envelope, put_site, writer_settings
from writer.app import running_writer
from writer.quarantine.held import find_held, read_groups

pytestmark = pytest.mark.anyio

PUT_AWAY = "update site_day set state = 'file'"
BRING_BACK = "update site_day set state = 'archived'"


@pytest.fixture
async def world(database: str, primary: str) -> AsyncIterator[World]:
    async with made_world(database, primary) as made:
        made.pipe.now = NOON + 20 * US_PER_DAY
        yield made


async def test_the_equation_counts_it_in_flight(world: World) -> None:
    world.pipe.put(world.acknowledge())
    world.db.execute(PUT_AWAY)
    world.pipe.put(world.acknowledge(3))
    await world.tell(2)
    sums = world.sums()
    assert sums.holds
    assert (sums.stored, sums.in_flight, sums.quarantined, sums.spooled) == (1, 3, 0, 0)
    [site] = sums.sites
    assert (site.stored, site.under_way) == (1, 3)
    assert site.received == sums.received == 4 + 2


async def test_it_is_nothing_that_an_operator_looks_at(world: World) -> None:
    world.pipe.put(world.acknowledge())
    world.db.execute(PUT_AWAY)
    world.pipe.put(world.acknowledge())
    assert find_held(world.db, None) == []
    assert read_groups(world.db) == []


async def test_the_trace_says_what_it_waits_for(database: str) -> None:
    put_site(database)
    pipe, edge = Pipe(database, now=NOON + 20 * US_PER_DAY), FakeEdge()
    pipe.put(edge.entry([envelope()]))
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(PUT_AWAY)
    pipe.put(edge.entry([envelope()]))
    pipe.close()
    async with api_service(database) as api:
        waiting = UUID(int=receipt.counted(edge.boot, 2, 0))
        answer = await api.client.get(f"/api/v2/trace/{waiting}", headers=await api.key("query"))
    found = answer.json()
    assert (found["found"], found["reason"]) == ("under_way", "waits_for_its_day")
    assert found["site"] == "example.com"


async def test_the_writer_stores_it_once_its_day_is_back(database: str, primary: str) -> None:
    put_site(database)
    pipe, edge = Pipe(database, now=NOON + 20 * US_PER_DAY), FakeEdge()
    pipe.put(edge.entry([envelope()]))
    stored = "select count(*) from events"
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(PUT_AWAY)
        pipe.put(edge.entry([envelope(title="late"), envelope(site="nowhere.example")]))
        pipe.close()
        db.execute(BRING_BACK)
        async with running_writer(writer_settings(database, primary)):
            await wait_until(lambda: db.execute(stored).fetchone() == (2,))
        titles = db.execute("select title, commit_in from events order by commit_in").fetchall()
        outcomes = db.execute("select outcome, events::int from ledger_count order by 1").fetchall()
    assert [title for title, _ in titles] == ["", "late"]
    assert titles[0][1] < titles[1][1]
    assert outcomes == [("quarantined", 1), ("stored", 2), ("waiting", 0)]


async def test_what_cannot_be_stored_after_all_is_set_aside(database: str, primary: str) -> None:
    put_site(database)
    pipe, edge = Pipe(database, now=NOON + 20 * US_PER_DAY), FakeEdge()
    pipe.put(edge.entry([envelope()]))
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(PUT_AWAY)
        pipe.put(edge.entry([envelope()]))
        pipe.close()
        db.execute(BRING_BACK)
        db.execute("update site set removed_at = now()")
        db.execute("update snapshot_version set version = version + 1")
        async with running_writer(writer_settings(database, primary)):
            await wait_until(lambda: bool(find_held(db, None)))
        outcomes = db.execute("select outcome, events::int from ledger_count order by 1").fetchall()
        held = db.execute("select state, reason, site_id from quarantine").fetchall()
    assert held == [("held", "unknown_site", None)]
    assert outcomes == [("quarantined", 1), ("stored", 1), ("waiting", 0)]
