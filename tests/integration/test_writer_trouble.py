"""The writer through every kind of database trouble: it waits, says why, and loses nothing."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

import anyio
import psycopg
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from infrastructure.local.ports import free_ports
from infrastructure.local.postgres_server import PostgresServer
from shared.redis_connection import connect
from tests.integration.test_writer_process import settings, started, wait_until_ready
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
from writer.stream import GROUP, Stream, stream_key

pytestmark = pytest.mark.anyio

STREAM = stream_key("e1")


@pytest.fixture
def world(database: str) -> str:
    put_site(database)
    put_edge(database)
    return database


@pytest.fixture
async def own_world(postgres_server: PostgresServer) -> str:
    url = postgres_server.url
    await anyio.to_thread.run_sync(upgrade, url)
    put_site(url)
    put_edge(url)
    return url


async def send_some(redis: Redis, count: int = 10) -> None:
    edge = FakeEdge()
    await send(redis, *(edge.entry([envelope(id=client_id(n))]) for n in range(count)))


def troubles(why: str) -> float:
    return REGISTRY.get_sample_value("millrace_writer_database_troubles_total", {"why": why}) or 0.0


async def until_it_says(writer: Writer, why: str) -> None:
    await until(lambda: writer.readiness().get("database_trouble") == why, f"it says {why}")
    assert writer.readiness()["ready"] is False


def do(database: str, *statements: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def locked(database: str, table: str) -> Iterator[None]:
    """Nobody else writes to a table within the block."""
    with psycopg.connect(database) as connection:
        connection.execute(f"lock table {table} in exclusive mode".encode())
        yield


@asynccontextmanager
async def connected_writer(database: str, primary: str, **more: Any) -> AsyncIterator[Writer]:
    """A writer whose connections are all open: it has stored something already."""
    async with running_writer(writer_settings(database, primary, **more)) as writer:
        redis = connect(primary, LOADED_S, connect_timeout_s=LOADED_S)
        await send(redis, FakeEdge().entry([envelope()]))
        await until_emptied(redis)
        await redis.aclose()
        yield writer


async def owners(redis: Redis) -> dict[Any, tuple[Any, Any]]:
    """Who holds each pending entry, and how often it was handed out."""
    found = await redis.xpending_range(STREAM, GROUP, "-", "+", 1_000)
    return {each["message_id"]: (each["consumer"], each["times_delivered"]) for each in found}


STATES = {
    "25006": "read_only",
    "53100": "disk_full",
    "53200": "short_of_resources",
    "55P03": "locked",
    "58030": "other",
    "XX000": "other",
}


@pytest.mark.parametrize(("sqlstate", "why"), STATES.items())
async def test_no_trouble_of_the_servers_own_blames_the_events(
    world: str, primary: str, redis: Redis, sqlstate: str, why: str
) -> None:
    do(
        world,
        "create function trouble() returns trigger language plpgsql as"
        f" $$ begin raise exception using errcode = '{sqlstate}'; end $$",
        "create trigger trouble before insert on batch execute function trouble()",
    )
    before = troubles(why)
    async with running_writer(writer_settings(world, primary)) as writer:
        await send_some(redis)
        await until_it_says(writer, why)
        await until(lambda: troubles(why) > before, "it counts that")
        assert await redis.xlen(STREAM) == 10
        do(world, "drop trigger trouble on batch")
        await until_emptied(redis)
        await until(lambda: bool(writer.readiness()["ready"]), "it says that it is over")
    assert len(standing(world)) == 10
    assert rows(world, "select reason from quarantine") == []


async def test_a_read_only_database_is_said_before_anything_has_to_be_stored(
    world: str, primary: str
) -> None:
    name = world.rpartition("/")[2]
    do(world, f'alter database "{name}" set default_transaction_read_only = on')
    async with running_writer(writer_settings(world, primary)) as writer:
        await until_it_says(writer, "read_only")
        do(
            world,
            "set default_transaction_read_only = off",
            f'alter database "{name}" reset default_transaction_read_only',
        )
        await until(lambda: bool(writer.readiness()["ready"]), "it notices without a restart")


async def test_a_killed_database_is_waited_for_through_its_recovery(
    postgres_server: PostgresServer, own_world: str, primary: str, redis: Redis
) -> None:
    async with connected_writer(own_world, primary, writer_read_batches=2) as writer:
        edge = FakeEdge()
        await send(redis, *(edge.entry([envelope(), envelope()]) for _ in range(40)))
        await until(lambda: len(standing(own_world)) > 1, "it is in the midst of it")
        await anyio.to_thread.run_sync(postgres_server.kill)
        await send(redis, *(edge.entry([envelope()]) for _ in range(20)))
        await until_it_says(writer, "unreachable")
        await anyio.to_thread.run_sync(postgres_server.start)
        await until_emptied(redis)
        await until(lambda: bool(writer.readiness()["ready"]), "it says so")
    assert len(standing(own_world)) == 1 + 80 + 20
    assert rows(own_world, "select count(*) from batch") == [(61,)]


async def test_a_hung_connection_is_given_up_and_made_anew(
    world: str, primary: str, redis: Redis
) -> None:
    async with connected_writer(world, primary, writer_answer_s=1.0) as writer:
        before = troubles("no_answer")
        with stopped(backends(world)):
            await send_some(redis)
            await until_emptied(redis)
            assert troubles("no_answer") > before
            await until(lambda: bool(writer.readiness()["ready"]), "it has new connections")
    assert len(standing(world)) == 11


async def test_a_database_that_hangs_as_a_whole_is_named_so_and_waited_for(
    postgres_server: PostgresServer, own_world: str, primary: str, redis: Redis
) -> None:
    async with connected_writer(own_world, primary, writer_answer_s=1.0) as writer:
        with stopped([postgres_server.pid, *backends(own_world)]):
            await send_some(redis)
            await until_it_says(writer, "no_answer")
            assert await redis.xlen(STREAM) == 10
        await until_emptied(redis)
    assert len(standing(own_world)) == 11


async def test_a_writer_ends_in_time_while_its_database_hangs(
    world: str, primary: str, redis: Redis
) -> None:
    with ExitStack() as hanging, anyio.fail_after(LOADED_S):
        async with connected_writer(world, primary, writer_answer_s=1.0):
            hanging.enter_context(stopped(backends(world)))
            await send_some(redis)
    async with running_writer(writer_settings(world, primary, writer_claim_after_s=0.5)):
        await until_emptied(redis)
    assert len(standing(world)) == 11


async def test_a_database_that_is_slow_but_not_hung_gets_the_time_it_takes(
    world: str, primary: str, redis: Redis
) -> None:
    do(
        world,
        "create function slow() returns trigger language plpgsql as"
        " $$ begin perform pg_sleep(1.5); return null; end $$",
        "create trigger slow before insert on batch execute function slow()",
    )
    before = troubles("no_answer")
    async with running_writer(writer_settings(world, primary, writer_answer_s=1.0)):
        await send_some(redis)
        await until_emptied(redis)
    assert troubles("no_answer") > before
    assert len(standing(world)) == 10


async def test_a_lock_is_waited_for_with_the_reason(world: str, primary: str, redis: Redis) -> None:
    async with connected_writer(world, primary, writer_answer_s=1.5) as writer:
        with locked(world, "batch"):
            await send_some(redis)
            await until_it_says(writer, "locked")
        await until_emptied(redis)
        await until(lambda: bool(writer.readiness()["ready"]), "it says that it is over")
    assert len(standing(world)) == 11


async def test_the_victim_of_a_deadlock_stores_its_read_all_the_same(
    world: str, primary: str, redis: Redis
) -> None:
    name = world.rpartition("/")[2]
    do(world, f"alter database \"{name}\" set deadlock_timeout = '4s'")
    first, second = client_id(1), client_id(2)
    claim = (
        "insert into client_id (site_id, client_id, received_at, event_id, ts)"
        " select site_id, %s, now(), gen_random_uuid(), now() from site"
    )
    before = troubles("collision")
    async with running_writer(writer_settings(world, primary)):
        with psycopg.connect(world) as other:
            # This side waits without looking for a deadlock, so that the writer is the victim.
            other.execute("set deadlock_timeout = '1h'")
            other.execute(claim.encode(), (second,))
            edge = FakeEdge()
            await send(redis, edge.entry([envelope(id=first), envelope(id=second)]))
            waiting = "select from pg_locks where not granted and locktype = 'transactionid'"
            await until(lambda: bool(rows(world, waiting)), "the writer waits for the second id")
            await anyio.to_thread.run_sync(other.execute, claim.encode(), (first,))
            other.rollback()
        await until_emptied(redis)
    assert troubles("collision") > before
    assert len(standing(world)) == 2


async def test_what_a_waiting_writer_holds_is_not_taken_over(
    world: str, primary: str, redis: Redis
) -> None:
    claim_after_s = 3.0
    first = writer_settings(world, primary, writer_claim_after_s=claim_after_s)
    second = writer_settings(world, primary, writer_claim_after_s=claim_after_s)
    async with running_writer(first):
        await until_it_reads(redis)
        with locked(world, "batch"):
            await send_some(redis)
            await until_all_are_held(redis, 10)
            held = await owners(redis)
            async with running_writer(second) as other:
                await until(lambda: bool(other.readiness()["primary"]), "it reads")
                await anyio.sleep(claim_after_s * 3)
                assert await owners(redis) == held
        await until_emptied(redis)
    assert len(standing(world)) == 10


async def test_a_lost_stream_stops_no_look_after_the_others_and_is_read_again(redis: Redis) -> None:
    stream = Stream(redis, "e1", "writer-1", 100)
    await send_some(redis)
    await read_until(stream, 10)
    await redis.delete(STREAM)
    await stream.keep()
    assert await stream.claim_abandoned(0) == 0
    await send_some(redis)
    await read_until(stream, 20)


async def read_until(stream: Stream, count: int) -> None:
    with anyio.fail_after(LOADED_S):
        while len(stream.waiting) < count:
            await stream.read(100)


async def test_a_killed_writer_process_leaves_its_share_to_the_other(
    world: str, primary: str, redis: Redis
) -> None:
    ports = free_ports(2)
    more = {"MILLRACE_WRITER_READ_BATCHES": "5", "MILLRACE_WRITER_CLAIM_AFTER_S": "1"}
    named = [
        {**settings(world, primary, port), **more, "MILLRACE_WRITER_NAME": f"writer-{port}"}
        for port in ports
    ]
    with started("writer", named[0]) as first, started("writer", named[1]) as second:
        for port, process in zip(ports, (first, second), strict=True):
            await anyio.to_thread.run_sync(wait_until_ready, port, process)
        with locked(world, "batch"):
            await send_some(redis, 80)
            await until_both_hold_some(redis)
            first.kill()
        await until_emptied(redis)
        assert second.poll() is None
    assert len(standing(world)) == 80
    assert rows(world, "select count(*) from batch") == [(80,)]


async def until_both_hold_some(redis: Redis) -> None:
    with anyio.fail_after(LOADED_S):
        while len({consumer for consumer, _ in (await owners(redis)).values()}) < 2:  # noqa: ASYNC110
            await anyio.sleep(0.02)


async def until_it_reads(redis: Redis) -> None:
    """A writer has made the consumer group; before that nobody can hold anything."""
    with anyio.fail_after(LOADED_S):
        while not await redis.exists(STREAM):  # noqa: ASYNC110
            await anyio.sleep(0.02)


async def until_all_are_held(redis: Redis, count: int) -> None:
    with anyio.fail_after(LOADED_S):
        while len(await owners(redis)) < count:  # noqa: ASYNC110
            await anyio.sleep(0.02)


def backends(database: str) -> list[int]:
    """The server processes behind the writer's connections."""
    found = rows(
        database,
        "select pid from pg_stat_activity"
        " where datname = current_database() and application_name = 'millrace-writer'",
    )
    return [pid for (pid,) in found]


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Processes that do nothing within the block, and whose kernel answers for them."""
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
