"""A stream that is not whole is named, on a real Redis with a real writer beside it."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from redis.asyncio import Redis

from infrastructure.local.redis_server import RedisServer
from shared.redis_connection import connect
from shared.stream_state import GREATEST_ID, StreamState, ahead_ms, removed_unread, went_back
from tests.writer_world import FakeEdge, envelope, put_edge, put_site, writer_settings
from writer.app import running_writer
from writer.stream import Stream, stream_key
from writer.stream_watch import StreamWatch

pytestmark = pytest.mark.anyio
STREAM = stream_key("e1")
LOADED_S = 60


async def add(redis: Redis, count: int) -> None:
    for _ in range(count):
        await redis.xadd(STREAM, {"a": "b"})


async def take(stream: Stream, count: int, *, release: bool = True) -> None:
    """What a writer does with as many entries."""
    while len(stream.waiting) < count:
        await stream.read(10)
    ids = [stream.waiting.popleft().entry_id for _ in range(count)]
    if release:
        await stream.release(ids)


async def faults(watch: StreamWatch) -> list[str]:
    await watch.look(["e1"])
    return watch.faults.get("e1", [])


async def test_whatever_several_writers_do_to_a_stream_it_is_whole(redis: Redis) -> None:
    await add(redis, 40)
    watch = StreamWatch(redis)
    one, other = Stream(redis, "e1", "one", 7), Stream(redis, "e1", "other", 5)
    for _ in range(4):
        await take(one, 3)
        await take(other, 2, release=False)
        await add(redis, 3)
        assert await faults(watch) == []
    await one.release()
    await other.claim_abandoned(0)
    await take(other, len(other.waiting))
    assert await faults(watch) == []


@pytest.mark.parametrize("rewrite", [False, True])
async def test_a_restart_of_the_primary_is_no_fault_of_its_streams(
    redis_server: Callable[..., RedisServer], rewrite: bool
) -> None:
    server = redis_server()
    redis = connect(server.url, LOADED_S, connect_timeout_s=LOADED_S)
    stream, watch = Stream(redis, "e1", "one", 5), StreamWatch(redis)
    await add(redis, 30)
    await take(stream, 12)
    await take(stream, 6, release=False)
    assert await faults(watch) == []
    if rewrite:
        await redis.bgrewriteaof()
        with anyio.fail_after(LOADED_S):
            while (await redis.info("persistence"))["aof_rewrite_in_progress"]:  # noqa: ASYNC110
                await anyio.sleep(0.02)
    server.kill()
    server.start()
    await redis.connection_pool.disconnect()
    assert await faults(watch) == await faults(StreamWatch(redis)) == []
    await add(redis, 2)
    assert await faults(watch) == []
    await redis.aclose()


async def test_a_stream_that_somebody_trims_is_named_with_how_much_is_gone(redis: Redis) -> None:
    watch, stream = StreamWatch(redis), Stream(redis, "e1", "one", 5)
    await add(redis, 20)
    await take(stream, 5)
    assert await faults(watch) == []
    await redis.xtrim(STREAM, maxlen=3, approximate=False)
    assert await faults(watch) == [f"{STREAM} was cut short: 12 entries left it unread"]
    await take(stream, 3)
    await add(redis, 2)
    assert len(await faults(watch)) == 1


@pytest.mark.parametrize("remove", ["delete", "flushall"])
async def test_a_stream_that_began_anew_is_named(redis: Redis, remove: str) -> None:
    watch, stream = StreamWatch(redis), Stream(redis, "e1", "one", 5)
    await add(redis, 8)
    await take(stream, 5)
    assert await faults(watch) == []
    await (redis.delete(STREAM) if remove == "delete" else redis.flushall())
    await add(redis, 1)
    assert await faults(watch) == [f"{STREAM} was begun anew: a second before it held 3 entries"]


async def test_ids_ahead_of_the_clock_are_named_until_the_remedy_was_applied(
    database: str, primary: str, redis: Redis
) -> None:
    put_site(database)
    put_edge(database)
    edge = FakeEdge()
    fields: Any = edge.entry([envelope()]).fields
    async with running_writer(writer_settings(database, primary)) as writer:

        async def until_streams(beginning: str) -> None:
            with anyio.fail_after(LOADED_S):
                while not str(writer.readiness().get("streams", "")).startswith(beginning):  # noqa: ASYNC110
                    await anyio.sleep(0.02)

        await redis.xadd(STREAM, fields, id=f"{GREATEST_ID[0]}-{GREATEST_ID[1]}")
        await until_streams(f"{{'e1': ['{STREAM} takes no entry any more")
        assert writer.readiness()["ready"]
        with anyio.fail_after(LOADED_S):
            while await redis.xlen(STREAM):  # noqa: ASYNC110
                await anyio.sleep(0.02)
        await writer.stream_watch.look(["e1"])
        script = "if redis.call('XLEN', KEYS[1]) == 0 then return redis.call('DEL', KEYS[1]) end"
        assert await redis.eval(script, 1, STREAM) == 1
        await redis.xadd(STREAM, fields)
        with anyio.fail_after(LOADED_S):
            while await redis.xlen(STREAM) or "streams" in writer.readiness():  # noqa: ASYNC110
                await anyio.sleep(0.02)


def test_what_a_stream_must_not_say() -> None:
    state = StreamState(length=5, added=20, last_id=(9_000, 1), delivered=17, pending=2)
    assert removed_unread(state) == 0
    assert removed_unread(state._replace(length=1)) == 4
    assert removed_unread(state._replace(length=1, delivered=None)) == 0
    assert not went_back(state, state._replace(length=0))
    assert went_back(state, state._replace(added=19))
    assert went_back(state, state._replace(last_id=(9_000, 0)))
    assert ahead_ms(state, 9_000) == 0
    assert ahead_ms(state._replace(last_id=(100_000, 0)), 9_000) == 91_000
