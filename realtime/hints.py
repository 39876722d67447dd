"""Listens for the writer's announcements on the primary. A hint may be lost; the feed polls too."""

import asyncio
from collections.abc import Callable

from redis.exceptions import RedisError

from shared.redis_connection import connect

CHANNEL = "commits"

_REPLY_S = 5.0
_LISTEN_S = 1.0
_AGAIN_S = 0.5


async def listen(primary_url: str, wake: Callable[[], None]) -> None:
    """Call ``wake`` at every announcement, for ever; a primary that is down is tried again."""
    while not _is_cancelled():
        try:
            await _listen_once(primary_url, wake)
        except (RedisError, OSError, TimeoutError):
            await asyncio.sleep(_AGAIN_S)


async def _listen_once(primary_url: str, wake: Callable[[], None]) -> None:
    async with connect(primary_url, _REPLY_S) as client, client.pubsub() as subscription:
        await subscription.subscribe(CHANNEL)
        unanswered = 0
        while unanswered < 2 and not _is_cancelled():
            message = await subscription.get_message(timeout=_LISTEN_S)
            if message is None:
                # A connection that died without a word would be waited on for ever.
                await subscription.ping()
                unanswered += 1
            else:
                unanswered = 0
            if message is not None and message["type"] == "message":
                wake()


def _is_cancelled() -> bool:
    """redis-py can swallow a cancellation that meets it while it connects (#2665)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
