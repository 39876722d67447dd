"""What the writer does beside the streams: snapshots for the edges, heartbeats from them."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import msgspec
import psycopg
import pytest
from redis.asyncio import Redis

from shared.heartbeat import BootBeat, DrainBeat, redis_key
from shared.keys import new_api_key, public_seal_key, read_signing_key
from shared.snapshot import REDIS_KEY, Snapshot, verify
from tests.writer_world import (
    NOON,
    SEAL_KEY,
    SIGNING_KEY,
    put_edge,
    put_key,
    put_setting,
    put_site,
    rows,
)
from writer.database.session import Session
from writer.known.key_ring import KeyRing
from writer.known.zones import moment
from writer.ledger.keeper import Ledger
from writer.publish import Publisher, build

pytestmark = pytest.mark.anyio


@pytest.fixture
async def session(database: str) -> AsyncIterator[Session]:
    made = Session(database, "test")
    yield made
    await anyio.to_thread.run_sync(made.close)


@pytest.fixture
def publisher(session: Session, redis: Redis) -> Publisher:
    return started(session, redis)


def started(session: Session, redis: Redis) -> Publisher:
    ring = KeyRing(SEAL_KEY)
    return Publisher(session, redis, read_signing_key(SIGNING_KEY), ring, lambda: NOON)


async def published(redis: Redis) -> Snapshot:
    raw = await redis.get(REDIS_KEY)
    assert isinstance(raw, bytes)
    return verify(raw, read_signing_key(SIGNING_KEY).verify_key)


async def test_a_snapshot_tells_sites_and_live_keys(
    database: str, redis: Redis, publisher: Publisher
) -> None:
    site = put_site(database, origins=["https://shop.example"])
    put_key(database, new_api_key(), site)
    put_key(database, new_api_key(), site, revoked_at=NOON)
    await publisher.publish()
    found = await published(redis)
    assert [(rules.site, rules.origins) for rules in found.sites] == [
        ("example.com", ("https://shop.example",))
    ]
    assert [(key.site, key.scopes) for key in found.keys] == [("example.com", ("ingest",))]
    assert found.seal_keys == (public_seal_key(SEAL_KEY),)


async def test_a_change_is_published_with_a_greater_version(
    database: str, redis: Redis, publisher: Publisher
) -> None:
    site = put_site(database)
    await publisher.publish()
    before = await published(redis)
    put_setting(database, site, "honour_dnt", False, 0)
    await publisher.publish()
    after = await published(redis)
    assert after.order > before.order
    assert not after.sites[0].honour_dnt


async def test_a_snapshot_that_the_primary_lost_is_published_again(
    redis: Redis, publisher: Publisher
) -> None:
    await publisher.publish()
    await redis.flushall()
    await publisher.publish()
    assert await published(redis)


async def test_a_greater_snapshot_of_a_writer_that_read_later_is_left(
    database: str, redis: Redis, publisher: Publisher, session: Session
) -> None:
    """Between this one's look at the database and at the primary another one published."""
    put_site(database)
    late = started(session, redis)
    stale = await session.run(late._read)
    put_site(database, "new.example")
    await publisher.publish()
    raw = await redis.get(REDIS_KEY)
    count = rows(database, "select epoch, version from snapshot_version")
    await late._put_if_greater(build(stale, (public_seal_key(SEAL_KEY),), NOON))
    assert await redis.get(REDIS_KEY) == raw
    assert rows(database, "select epoch, version from snapshot_version") == count


async def test_a_forged_snapshot_is_replaced(redis: Redis, publisher: Publisher) -> None:
    await publisher.publish()
    before = await published(redis)
    await redis.set(REDIS_KEY, b"forged")
    await publisher.publish()
    assert await published(redis) == before


@pytest.mark.parametrize("changes_since", [1, 5])
@pytest.mark.parametrize("changes_after", [0, 1, 5, 6])
async def test_edges_take_the_rules_of_a_database_that_was_restored(
    database: str,
    redis: Redis,
    session: Session,
    publisher: Publisher,
    changes_since: int,
    changes_after: int,
) -> None:
    site = put_site(database)
    await publisher.publish()
    [backup] = rows(database, "select epoch, version from snapshot_version")
    for at in range(changes_since):
        put_setting(database, site, "honour_dnt", at % 2 == 1, at)
    await publisher.publish()
    before = await published(redis)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("delete from site_setting where name = 'honour_dnt'")
        connection.execute("update snapshot_version set epoch = %s, version = %s", backup)
    for number in range(changes_after):
        put_site(database, f"new{number}.example")
    restarted = started(session, redis)
    for _ in range(3):
        await restarted.publish()
    after = await published(redis)
    assert after.order > before.order
    assert len(after.sites) == 1 + changes_after
    assert after.sites[0].honour_dnt


async def test_heartbeats_are_copied_into_the_ledger(
    database: str, session: Session, redis: Redis
) -> None:
    put_edge(database)
    counts = {"example.com": {"received": 7, "dropped:dnt": 1}}
    beat = BootBeat(NOON, 5, NOON - 9, 6, ((2, 3), (5, 5)), counts, -40)
    drain = DrainBeat(NOON + 1, 4, 900, NOON - 50)
    sent: dict[str, BootBeat | DrainBeat] = {f"{0xABC:012x}": beat, "drain": drain}
    await beats(redis, **sent)
    ledger = Ledger(session, redis)
    await ledger.copy_heartbeats()
    assert rows(
        database, "select last_heard, spooled_batches, spooled_bytes, oldest_spooled_at from edge"
    ) == [(moment(NOON + 1), 4, 900, moment(NOON - 50))]
    found = rows(database, "select boot, void::text, low, last_acked, clock_offset_us from boot")
    assert found == [(0xABC, "{[2,4),[5,6)}", 5, 6, -40)]
    counted = "select site, outcome, events from edge_count order by outcome"
    assert rows(database, counted) == [
        ("example.com", "dropped:dnt", 1),
        ("example.com", "received", 7),
    ]
    await beats(redis, **{f"{0xABC:012x}": msgspec.structs.replace(beat, low=4, void=((9, 9),))})
    await ledger.copy_heartbeats()
    assert rows(database, "select low, void::text from boot") == [(5, "{[2,4),[5,6),[9,10)}")]


async def test_a_heartbeat_that_cannot_be_read_hides_no_other(
    database: str, session: Session, redis: Redis
) -> None:
    put_edge(database)
    put_edge(database, "e2")
    good = BootBeat(NOON, 1, NOON, 1)
    await beats(redis, **{"zz": good, f"{1:012x}": good})
    await redis.hset(redis_key("e1"), f"{2:012x}", b"junk")
    impossible = msgspec.structs.replace(good, low=2**63)
    await beats(redis, "e2", **{f"{3:012x}": impossible})
    await Ledger(session, redis).copy_heartbeats()
    assert rows(database, "select edge, boot from boot") == [("e1", 1)]


async def beats(redis: Redis, edge: str = "e1", /, **fields: BootBeat | DrainBeat) -> None:
    packed: dict[Any, Any] = {name: msgspec.msgpack.encode(beat) for name, beat in fields.items()}
    await redis.hset(redis_key(edge), mapping=packed)
