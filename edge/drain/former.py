"""The names that an edge had before: what its spool and its state folder still hold of them comes
home as well, each under its own name, by which alone the core knows it.
"""

import asyncio
import logging
import re
import time
from contextlib import suppress
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from edge.batches.boot_file import read_boots
from edge.drain.drain import Drain
from edge.drain.former_state import ANOTHERS, COMING_HOME, WAITING
from edge.ending import end_tasks
from edge.journal.last_words import words_key
from edge.spool.stream import AWAY, Spool, SpoolAway
from shared.heartbeat import DRAIN_FIELD, redis_key
from shared.redis_connection import connect
from shared.settings import EdgeSettings

_log = logging.getLogger("edge.drain")
_EVERY_S = 1.0
_TIMEOUT_S = 2.0
_SILENT_S = 10.0
"""A name whose drain was not heard for so long has none: it tells once a second."""
_STREAM = re.compile(rb"ingest:([a-z0-9][a-z0-9-]{0,62})")


class FormerNames:
    """Found by what is there, so that nothing has to be written down when the name is changed. One
    that has a drain of its own is another edge, which was given the same spool or state folder: it
    is said, and left to that."""

    def __init__(self, settings: EdgeSettings, today: Drain) -> None:
        self._settings = settings
        self._today = today
        self._spool = connect(settings.spool_url, _TIMEOUT_S)
        self._primary = connect(settings.primary_url, _TIMEOUT_S)
        self._drains: dict[str, _Running] = {}
        self._heard: dict[str, tuple[bytes | None, float]] = {}
        self._others: set[str] = set()
        self._waiting: set[str] = set()

    async def run(self) -> None:
        """For ever."""
        while True:
            with suppress(*AWAY, SpoolAway):
                await self._look(await self._names())
            await asyncio.sleep(_EVERY_S)

    async def close(self) -> None:
        """End what is at work, and drop every connection."""
        for running in self._drains.values():
            await running.end()
        await self._spool.aclose()
        await self._primary.aclose()

    def readiness(self) -> dict[str, object]:
        """What becomes of each; nothing where there is none."""
        told = dict.fromkeys(self._waiting, WAITING)
        told |= dict.fromkeys(self._others, ANOTHERS)
        told |= {name: running.state for name, running in self._drains.items()}
        return {"former_names": told} if told else {}

    async def _look(self, held: set[str]) -> None:
        self._others &= held
        healthy, gauges = self._today.probe.healthy.is_set(), self._today.gauges
        for name in self._drains.keys() - held if healthy else ():
            await self._drains.pop(name).finish()
        for name in gauges.former.keys() - held - self._drains.keys():
            del gauges.former[name]
        for running in self._drains.values():
            running.check()
        for name in held - self._drains.keys():
            if await self._is_ours(name):
                self._drains[name] = _Running(name, self._settings, self._today)
            await self._show(name)
        self._waiting = held - self._drains.keys() - self._others

    async def _show(self, name: str) -> None:
        """Count what waits of it, before its drain does so itself."""
        if name in self._others:
            self._today.gauges.former.pop(name, None)
            return
        extent = await Spool(self._spool, name, self._settings.spool_max_bytes).measure()
        self._today.gauges.former[name] = extent

    async def _names(self) -> set[str]:
        """Those of which there is something. Raises RedisError, OSError."""
        boots = read_boots(self._settings.edge_state_dir)
        names = {record.edge for _, _, record in boots} | await _spooled(self._spool)
        return names - {"", self._settings.edge_name}

    async def _is_ours(self, name: str) -> bool:
        """Whether no other drain tells of it, which is to be seen while the primary is well."""
        if not self._today.probe.healthy.is_set():
            self._heard.clear()
            return False
        told = await self._last_word(name)
        before = self._heard.setdefault(name, (told, time.monotonic()))
        if before[0] != told:
            self._heard[name] = told, time.monotonic()
            if name not in self._others:
                _log.error("another drain serves %s, of which something is in this spool", name)
            self._others.add(name)
            return False
        if time.monotonic() - before[1] < _SILENT_S:
            return False
        self._others.discard(name)
        return True

    async def _last_word(self, name: str) -> bytes | None:
        """Of the drain of that name; None also where this edge may not ask. Raises RedisError,
        OSError."""
        try:
            told: Any = await self._primary.hget(redis_key(name), DRAIN_FIELD)
        except NoPermissionError:
            return None
        return None if told is None else bytes(told)


class _Running:
    """The drain of one name, at work."""

    def __init__(self, name: str, settings: EdgeSettings, today: Drain) -> None:
        self._name, self._today = name, today
        self._drain = Drain(msgspec.structs.replace(settings, edge_name=name), today)
        _log.warning("bringing home what is left of %s, a name that this edge had", name)
        self._tasks = [asyncio.create_task(work) for work in self._drain.works()]

    @property
    def state(self) -> str:
        """For the operator."""
        return self._drain.refused or COMING_HOME

    def check(self) -> None:
        """Raises what ended it, as nothing should."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def finish(self) -> None:
        """All is home; the core hears that nothing waits any more."""
        _log.info("all is home that was left of %s", self._name)
        await end_tasks(self._tasks)
        with suppress(*AWAY, SpoolAway):
            await self._drain.beat()
        await self.end()

    async def end(self) -> None:
        """Drop every connection."""
        await end_tasks(self._tasks)
        self._today.gauges.former.pop(self._name, None)
        await self._drain.close()


async def _spooled(spool: Redis) -> set[str]:
    """The names that have a batch there, or the last words about a boot."""
    names: set[str] = set()
    async for key in spool.scan_iter(match="ingest:*"):
        found = _STREAM.fullmatch(key)
        if found is None:
            continue
        name = found[1].decode()
        if await spool.xlen(key) or await spool.exists(words_key(name)):
            names.add(name)
    return names
