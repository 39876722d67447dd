"""The only thing that closes a breaker: a write which the primary has demonstrably fsynced."""

import asyncio
import logging
import time
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from edge.servers.fsync_proof import is_fsynced
from edge.servers.link import ErrorReply
from edge.servers.promise import PromiseWatch, Weakness, WeakPromise, ask_promise
from edge.servers.stream_end import StreamEnd
from shared.metrics import PRIMARY_HEALTHY

_log = logging.getLogger("edge.drain")
_EVERY_S = 0.25
_PATIENCE_MS = 1_800
"""Less than the chores' timeout, more than the second after which ``everysec`` fsyncs."""


class Probe:
    """``SET`` and ``WAITAOF 1 0``: a full, read-only, loading or memory-only primary fails it.

    One that fsyncs once a second, or may evict, would pass; it is asked what it promises. One whose
    stream takes no entry any more would pass too; after each failure it is asked for that.
    ``patient`` waits longer, for a server that lets nobody see how it fsyncs.
    """

    def __init__(
        self,
        primary: Redis,
        patient: Redis,
        edge: str,
        timeout_s: float,
        write_proof_ns: Callable[[int], None],
        promise: PromiseWatch,
    ) -> None:
        self._primary = primary
        self._patient = patient
        self._edge = edge
        # Redis has to say that it was not before the connection is given up.
        self._timeout_ms = int(timeout_s * 500)
        self._write_proof_ns = write_proof_ns
        self.promise = promise
        self.stream_end = StreamEnd(primary, edge)
        self.healthy = asyncio.Event()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.ask()
            await asyncio.sleep(_EVERY_S)

    async def ask(self) -> None:
        """One probe. What it proves, it proves as of its beginning."""
        began_ns = time.monotonic_ns()
        try:
            await self._prove()
            if not self.healthy.is_set() and await self.stream_end.is_reached():
                return
            self._write_proof_ns(began_ns)
        except WeakPromise as error:
            self.failed(f"weak: {error}")
            return
        except (RedisError, OSError, ErrorReply) as error:
            self.failed(type(error).__name__)
            return
        PRIMARY_HEALTHY.set(1)
        if not self.healthy.is_set():
            _log.info("the primary is healthy")
            self.healthy.set()

    def failed(self, what: str) -> None:
        """Here, or while draining: wait for the next probe that succeeds."""
        PRIMARY_HEALTHY.set(0)
        if self.healthy.is_set():
            _log.warning("the primary failed (%s); waiting until it is healthy", what)
            self.healthy.clear()

    async def _prove(self) -> None:
        promise = await ask_promise(self._primary)
        if promise.weak:
            self.promise.learn(promise)
        fsynced = await self._is_fsynced(patiently=promise.by_proof)
        if not (fsynced or promise.weak or promise.by_proof):
            promise = promise._replace(weak=Weakness.NOT_PROVEN)
        self.promise.learn(promise)
        if not fsynced:
            raise RedisError("not fsynced in time")

    async def _is_fsynced(self, *, patiently: bool) -> bool:
        if not patiently:
            return await is_fsynced(self._primary, self._edge, self._timeout_ms)
        began = time.monotonic()
        try:
            return await is_fsynced(self._patient, self._edge, _PATIENCE_MS)
        finally:
            self.promise.proved(time.monotonic() - began)
