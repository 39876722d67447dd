"""Sends planned events when they are due, whether or not the ones before were answered."""

import asyncio
import time
from collections.abc import Iterator
from itertools import chain

from infrastructure.traffic.tracker_client import TrackerClient
from infrastructure.traffic.visit import Planned

_MOST_UNDER_WAY = 5_000
_SETTLE_S = 15.0


async def send_on_time(
    planned: Iterator[Planned],
    tracker: TrackerClient,
    stop: asyncio.Event,
    settle_s: float = _SETTLE_S,
) -> None:
    """Open loop until `stop` is set; then what is under way has `settle_s` to be answered."""
    room = asyncio.Semaphore(_MOST_UNDER_WAY)
    under_way: set[asyncio.Task[None]] = set()
    # The first event costs the generator's unseen warm-up: time begins after it.
    events = chain([next(planned)], planned)
    started_s = time.monotonic()

    def ended(task: asyncio.Task[None]) -> None:
        under_way.discard(task)
        room.release()

    try:
        for each in events:
            if await _is_set_within(stop, started_s + each.at_s - time.monotonic()):
                break
            await room.acquire()
            task = asyncio.create_task(tracker.send(each))
            under_way.add(task)
            task.add_done_callback(ended)
        if under_way:
            await asyncio.wait(under_way, timeout=settle_s)
    finally:
        await _cancel(under_way)


async def _is_set_within(stop: asyncio.Event, seconds: float) -> bool:
    if seconds > 0:
        try:
            await asyncio.wait_for(stop.wait(), seconds)
        except TimeoutError:
            return False
    return stop.is_set()


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    left = list(tasks)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
