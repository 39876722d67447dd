"""Loops beside the stream end when they are told to, whatever their clients make of it."""

import asyncio

import anyio
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from writer.periodic import every

pytestmark = pytest.mark.anyio

WITHIN_S = 60.0


class Connecting:
    """Work that takes its cancellation for trouble with the server, as clients do that connect."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.times = 0

    async def __call__(self) -> None:
        self.times += 1
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RedisConnectionError from None


async def test_a_loop_ends_though_its_work_swallows_the_cancellation() -> None:
    work = Connecting()
    loop = asyncio.create_task(every(0, "test", work))
    await work.began.wait()
    loop.cancel()
    with anyio.fail_after(WITHIN_S):
        await asyncio.wait([loop])
    assert work.times == 1


async def test_a_loop_ends_between_two_times_too() -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    loop = asyncio.create_task(every(60, "test", work))
    await done.wait()
    loop.cancel()
    with anyio.fail_after(WITHIN_S), pytest.raises(asyncio.CancelledError):
        await loop


async def test_trouble_of_any_kind_does_not_end_a_loop() -> None:
    enough = asyncio.Event()
    troubles = [RedisConnectionError(), OSError(), ValueError(), RecursionError()]

    async def work() -> None:
        if not troubles:
            enough.set()
            return
        raise troubles.pop()

    loop = asyncio.create_task(every(0, "test", work))
    with anyio.fail_after(WITHIN_S):
        await enough.wait()
    loop.cancel()
