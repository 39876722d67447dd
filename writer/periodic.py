"""Work done again and again beside the stream, which outlives the servers it needs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from writer.database.connection import Unavailable

log = logging.getLogger("writer")


async def every(interval_s: float, name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Until cancelled. Trouble with a server is said once, when it begins and when it ends."""
    in_trouble = False
    while not is_cancelled():
        try:
            await work()
            if in_trouble:
                log.info("%s: goes on", name)
            in_trouble = False
        except (Unavailable, RedisError, OSError) as error:
            if not in_trouble:
                log.warning("%s: waits (%s)", name, type(error).__name__)
            in_trouble = True
        except Exception:
            log.exception("%s failed", name)
        if not is_cancelled():
            await asyncio.sleep(interval_s)


def is_cancelled() -> bool:
    """Whether this task was told to end: redis-py takes a cancellation for trouble with the
    server while it connects, and goes on."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
