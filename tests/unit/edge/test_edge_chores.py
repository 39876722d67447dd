"""What a worker does each second goes on, whatever happens to it once."""

import asyncio

import anyio
import pytest
from redis.exceptions import RedisError

from edge import worker

WITHIN_S = 30.0


@pytest.mark.anyio
@pytest.mark.parametrize("trouble", [RedisError, OSError, RuntimeError])
async def test_a_chore_that_fails_is_tried_again(
    trouble: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_CHORE_EVERY_S", 0.0)
    began, again = 0, asyncio.Event()

    async def chore() -> None:
        nonlocal began
        began += 1
        if began == 1:
            raise trouble("once")
        again.set()

    going_on = asyncio.create_task(worker._each_second(chore))
    with anyio.fail_after(WITHIN_S):
        await again.wait()
    assert not going_on.done()
    going_on.cancel()
