"""The whole writer between a real Redis and a real database, through every kind of trouble."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import anyio
import pytest
from redis.asyncio import Redis

from infrastructure.local.postgres_server import PostgresServer
from infrastructure.local.redis_server import RedisServer
from shared.redis_connection import connect
from tests.writer_streams import LOADED_S, send, until, until_emptied
from tests.writer_world import (
    FakeEdge,
    client_id,
    envelope,
    put_edge,
    put_site,
    rows,
    standing,
    writer_settings,
)
from writer.app import Writer, running_writer
from writer.migrate import upgrade
from writer.prepare import Entry
from writer.stream import GROUP, Stream, stream_key

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(database: str) -> str:
    put_site(database)
    put_edge(database)
    return database


@pytest.fixture
async def writer(world: str, primary: str) -> AsyncIterator[Writer]:
    async with running_writer(writer_settings(world, primary)) as running:
        yield running


async def test_entries_are_stored_then_acknowledged_and_deleted(
    world: str, primary: str, writer: Writer, redis: Redis
) -> None:
    edge = FakeEdge()
    await send(redis, *(edge.entry([envelope(id=client_id(n))]) for n in range(20)))
    await until_emptied(redis)
    assert len(standing(world)) == 20
    assert (await redis.xpending(stream_key("e1"), GROUP))["pending"] == 0
    await until(lambda: bool(writer.readiness()["ready"]), "it says so")


async def test_what_was_sent_before_the_group_existed_is_read(
    world: str, primary: str, redis: Redis
) -> None:
    await send(redis, FakeEdge().entry([envelope()]))
    async with running_writer(writer_settings(world, primary)):
        await until_emptied(redis)
    assert len(standing(world)) == 1


async def test_each_commit_is_announced(
    world: str, primary: str, writer: Writer, redis: Redis
) -> None:
    async with redis.pubsub() as channel:
        await channel.subscribe("commits")
        await channel.get_message(timeout=LOADED_S)
        await send(redis, FakeEdge().entry([envelope()]))
        message = await channel.get_message(timeout=LOADED_S)
    assert message is not None
    assert rows(world, "select commit_no from commits") == [(int(message["data"]),)]


async def test_an_edge_that_is_registered_later_is_read_too(
    world: str, primary: str, writer: Writer, redis: Redis
) -> None:
    await send(redis, FakeEdge("e2").entry([envelope()]))
    put_edge(world, "e2")
    await until_emptied(redis, "e2")
    assert len(standing(world)) == 1


async def test_a_writer_that_dies_between_commit_and_acknowledgement_adds_nothing_twice(
    world: str, primary: str, redis: Redis
) -> None:
    class Died(Exception):
        pass

    def die() -> None:
        raise Died

    edge = FakeEdge()
    await send(redis, edge.entry([envelope(), envelope()]), edge.entry([envelope()]))
    settings = writer_settings(world, primary)
    dying = Writer(settings, after_commit=die)
    with pytest.raises(ExceptionGroup):
        await dying.run()
    await dying.close()
    assert len(standing(world)) == 3
    async with running_writer(settings):
        await until_emptied(redis)
    assert len(standing(world)) == 3


async def test_entries_of_a_dead_writer_are_claimed_by_another(
    world: str, primary: str, redis: Redis
) -> None:
    edge = FakeEdge()
    await send(redis, edge.entry([envelope()]), edge.entry([envelope()]))
    await redis.xgroup_create(stream_key("e1"), GROUP, id="0")
    await redis.xreadgroup(GROUP, "dead", {stream_key("e1"): ">"}, 10)
    async with running_writer(writer_settings(world, primary, writer_claim_after_s=0.3)):
        await until_emptied(redis)
    assert len(standing(world)) == 2


async def test_a_writer_that_has_ended_is_not_ready(world: str, primary: str) -> None:
    async with running_writer(writer_settings(world, primary)) as writer:
        await until(lambda: bool(writer.readiness()["ready"]), "it gets ready")
    assert not writer.readiness()["ready"]


async def test_a_reader_that_broke_begins_again(
    world: str, primary: str, monkeypatch: pytest.MonkeyPatch, redis: Redis
) -> None:
    read, faults = Stream.read, [ValueError()]

    async def break_once(self: Stream, block_ms: int) -> None:
        if faults:
            raise faults.pop()
        await read(self, block_ms)

    monkeypatch.setattr(Stream, "read", break_once)
    await send(redis, FakeEdge().entry([envelope()]))
    async with running_writer(writer_settings(world, primary)):
        await until_emptied(redis)
    assert len(standing(world)) == 1


async def test_two_writers_side_by_side_store_each_event_once(
    world: str, primary: str, redis: Redis
) -> None:
    edges = [FakeEdge() for _ in range(4)]
    entries = [
        edge.entry([envelope(id=client_id(100 * n + k), ip="") for k in range(10)])
        for n in range(15)
        for edge in edges
    ]
    async with AsyncExitStack() as writers:
        for _ in range(2):
            settings = writer_settings(world, primary, writer_read_batches=5)
            await writers.enter_async_context(running_writer(settings))
        await send(redis, *entries, *entries[::3])
        await until_emptied(redis)
    found = rows(world, "select client_id, count(*) from client_id group by 1 having count(*) <> 1")
    assert found == []
    assert len(standing(world)) == 150


async def test_a_damaged_batch_is_set_aside_whole_and_not_in_the_ledger(
    world: str, primary: str, writer: Writer, redis: Redis
) -> None:
    edge = FakeEdge()
    sound, broken = edge.entry([envelope()]), edge.entry([envelope()])
    body = broken.fields[b"body"]
    bent = Entry("e1", b"", {**broken.fields, b"body": body[:-1] + bytes([body[-1] ^ 1])})
    lying = Entry("e1", b"", {**edge.entry([envelope()]).fields, b"n": b"7"})
    await send(redis, bent, sound, lying, bent, Entry("e1", b"", {b"junk": b"1"}))
    await until_emptied(redis)
    found = rows(world, "select edge, reason, index from quarantine order by reason")
    assert found == [
        ("e1", "header_mismatch", None),
        ("e1", "malformed_entry", None),
        ("e1", "unsealable", None),
    ]
    assert rows(world, "select seq from batch") == [(1,)]
    assert len(standing(world)) == 1


async def test_the_database_may_be_away_for_a_while(
    postgres_server: PostgresServer, primary: str, redis: Redis
) -> None:
    url = postgres_server.url
    await anyio.to_thread.run_sync(upgrade, url)
    put_site(url)
    put_edge(url)
    edge = FakeEdge()
    async with running_writer(writer_settings(url, primary)) as writer:
        await send(redis, edge.entry([envelope()]))
        await until_emptied(redis)
        await anyio.to_thread.run_sync(postgres_server.stop)
        await send(redis, *(edge.entry([envelope()]) for _ in range(30)))
        await until(lambda: not writer.readiness()["database"], "it says so")
        await anyio.to_thread.run_sync(postgres_server.start)
        await until_emptied(redis)
        await until(lambda: bool(writer.readiness()["ready"]), "it says that it is back")
    assert len(standing(url)) == 31


async def test_a_read_only_database_is_waited_for(world: str, primary: str, redis: Redis) -> None:
    name = world.rpartition("/")[2]
    rows_of = f'alter database "{name}" set default_transaction_read_only = '
    _do(world, rows_of + "on")
    async with running_writer(writer_settings(world, primary)) as writer:
        await send(redis, FakeEdge().entry([envelope()]))
        await until(lambda: not writer.readiness()["database"], "it says so")
        await anyio.sleep(0.1)
        assert standing(world) == []
        _do(world, "begin read write; " + rows_of + "off; commit")
        _do(
            world,
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()",
        )
        await until_emptied(redis)
    assert len(standing(world)) == 1


async def test_the_primary_may_be_away_for_a_while(
    world: str, redis_server: Callable[..., RedisServer]
) -> None:
    server = redis_server()
    edge = FakeEdge()
    async with running_writer(writer_settings(world, server.url)) as writer:
        async with connect(server.url, LOADED_S, connect_timeout_s=LOADED_S) as redis:
            await send(redis, edge.entry([envelope()]))
            await until_emptied(redis)
        await anyio.to_thread.run_sync(server.kill)
        await until(lambda: not writer.readiness()["primary"], "it says so")
        await anyio.to_thread.run_sync(server.start)
        async with connect(server.url, LOADED_S, connect_timeout_s=LOADED_S) as redis:
            await send(redis, edge.entry([envelope()]))
            await until_emptied(redis)
    assert len(standing(world)) == 2


def _do(database: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement.encode())
