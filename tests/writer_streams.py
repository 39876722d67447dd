"""Entries on their way to a writer: sent as an edge does, and waited for until they are gone."""

from collections.abc import Callable
from typing import Any

import anyio
from redis.asyncio import Redis

from writer.prepare import Entry
from writer.stream import stream_key

LOADED_S = 90
"""Time for what takes one or two seconds on an idle machine."""


async def send(redis: Redis, *entries: Entry) -> None:
    """Each into the stream of its edge."""
    for entry in entries:
        fields: Any = dict(entry.fields)
        await redis.xadd(stream_key(entry.edge), fields)


async def until(ready: Callable[[], bool], what: str) -> None:
    """Look again and again: the writer answers nobody, its effects are what there is to see."""
    with anyio.move_on_after(LOADED_S):
        while not ready():  # noqa: ASYNC110
            await anyio.sleep(0.02)
    assert ready(), what


async def until_emptied(redis: Redis, *edges: str) -> None:
    """Until nothing waits of these edges; of ``e1``, if none is named."""
    with anyio.fail_after(LOADED_S):
        for edge in edges or ("e1",):
            while await redis.xlen(stream_key(edge)):  # noqa: ASYNC110
                await anyio.sleep(0.02)
