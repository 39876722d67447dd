"""A small write that a Redis must prove to have fsynced.

What it says of itself comes too early: ``aof_enabled`` is 1 from ``CONFIG SET appendonly yes`` on,
but until the first rewrite has ended no restart finds what it has confirmed. WAITAOF knows.
"""

import time

from redis.asyncio import Redis

from edge.servers.link import ErrorReply, Link, pack
from edge.servers.promise import Promise, Weakness

_KEEP_S = 3_600
_ANSWERS_WITHIN_MS = 10
"""With ``appendfsync always`` a write is fsynced before it is answered, so WAITAOF says at once
what it will ever say; and what else goes over this connection waits no longer than this."""


def probe_key(edge: str) -> str:
    """Where the write goes."""
    return f"probe:{edge}"


class FsyncProof:
    """Of one edge, over the connection that its batches take."""

    def __init__(self, edge: str) -> None:
        key = probe_key(edge).encode()
        self._write = pack(b"SET", key, b"1", b"EX", b"%d" % _KEEP_S)
        self._fsynced = pack(b"WAITAOF", b"1", b"0", b"%d" % _ANSWERS_WITHIN_MS)

    async def settle(self, link: Link, promise: Promise) -> Promise:
        """The promise, less what it does not hold. Asks nothing where it is weak already, or where
        each write has to be proven anyway. Raises LinkLost or ErrorReply."""
        if promise.weak or promise.by_proof or await self._holds(link):
            return promise
        return promise._replace(weak=Weakness.NOT_PROVEN)

    async def _holds(self, link: Link) -> bool:
        try:
            await link.send(self._write)
            fsynced = await link.send(self._fsynced)
        except ErrorReply as error:
            if str(error) == "NOPERM":
                return False
            raise
        return isinstance(fsynced, list) and fsynced[0] >= 1


async def is_fsynced(redis: Redis, edge: str, timeout_ms: int) -> bool:
    """The same over a client. Raises RedisError, OSError."""
    # One write to one connection: WAITAOF speaks of what its own connection has written.
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.set(probe_key(edge), b"%d" % time.time_ns(), ex=_KEEP_S)
        pipeline.execute_command("WAITAOF", 1, 0, timeout_ms)
        _, fsynced = await pipeline.execute()
    return int(fsynced[0]) >= 1


async def settle_promise(redis: Redis, edge: str, promise: Promise) -> Promise:
    """What ``FsyncProof.settle`` does, in case of doubt. Raises RedisError, OSError."""
    if not promise.in_doubt or await is_fsynced(redis, edge, _ANSWERS_WITHIN_MS):
        return promise
    return promise._replace(weak=Weakness.NOT_PROVEN)
