"""The one place that builds the gateway's objects and runs them together."""

import asyncio
import logging
import signal
from contextlib import suppress

from realtime.commits import Commits
from realtime.database import Database
from realtime.feed import Feed
from realtime.gateway import Gateway, send_to_all
from realtime.hints import listen
from shared.clock import system_clock
from shared.ops import OpsServer
from shared.settings import RealtimeSettings

COUNTING = 3
"""How many sites may be opened at a time, each on a connection of its own."""

_log = logging.getLogger("realtime")


async def run(settings: RealtimeSettings) -> None:
    """Serve until SIGTERM or SIGINT, then close every client with 1001 (going away)."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ending, ended.set)
    following, redeeming, *counting = [Database(settings.postgres_url) for _ in range(2 + COUNTING)]
    feed = Feed(
        Commits(following),
        [Commits(each) for each in counting],
        settings,
        send_to_all,
        system_clock,
    )
    gateway = Gateway(feed, redeeming, settings, system_clock)
    ops = OpsServer(
        lambda: {"ready": feed.reads, "database": feed.reads},
        settings.ops_host,
        settings.realtime_ops_port,
    )
    async with gateway.serving():
        tasks = [
            asyncio.create_task(feed.run()),
            asyncio.create_task(listen(settings.primary_url, feed.wake)),
            asyncio.create_task(ops.serve()),
        ]
        _log.info("listening on %s:%d", settings.realtime_host, settings.realtime_port)
        await _until(ended, tasks)
    await _end(tasks)
    for database in (following, redeeming, *counting):
        await database.close()


async def _until(ended: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the end; a task that fails ends the process, so that it is started anew."""
    waiting = asyncio.create_task(ended.wait())
    await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for task in tasks:
        if task.done():
            task.result()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
