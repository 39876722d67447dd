"""The only thing that closes a breaker: a write which the primary has demonstrably fsynced."""

import asyncio
import logging
import time
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from edge.link import ErrorReply
from edge.promise import PromiseWatch, WeakPromise, ask_promise
from shared.metrics import PRIMARY_HEALTHY

_log = logging.getLogger("edge.drain")
_EVERY_S = 0.25
_KEEP_S = 3_600


class Probe:
    """``SET`` and ``WAITAOF 1 0``: a full, read-only, loading or memory-only primary fails it.

    One that fsyncs once a second, or may evict, would pass; it is asked what it promises.
    """

    def __init__(
        self,
        primary: Redis,
        edge: str,
        timeout_s: float,
        write_proof_ns: Callable[[int], None],
        promise: PromiseWatch,
    ) -> None:
        self._primary = primary
        self._key = f"probe:{edge}"
        self._timeout_ms = int(timeout_s * 1_000)
        self._write_proof_ns = write_proof_ns
        self.promise = promise
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
            self.promise.learn(await ask_promise(self._primary))
            await self._write()
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

    async def _write(self) -> None:
        await self._primary.set(self._key, b"%d" % time.time_ns(), ex=_KEEP_S)
        fsynced = await self._primary.waitaof(1, 0, self._timeout_ms)
        if int(fsynced[0]) < 1:
            raise RedisError("not fsynced in time")
