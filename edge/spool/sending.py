"""Sends entries of the spool to the primary as they are."""

from collections.abc import Iterator, Sequence
from itertools import chain

from redis.asyncio import Redis
from redis.exceptions import RedisError

from edge.spool.stream import Entry

SLICE_BYTES = 1024 * 1024
"""Sent before the primary must confirm: a line of 35 kB/s still makes it within the deadline."""
_FSYNC_WITHIN_MS = 2_000


def slices(entries: Sequence[Entry], most_bytes: int = SLICE_BYTES) -> Iterator[list[Entry]]:
    """The entries in order, some ``most_bytes`` at a time, at least one."""
    part: list[Entry] = []
    size = 0
    for entry in entries:
        if part and size + entry.size > most_bytes:
            yield part
            part, size = [], 0
        part.append(entry)
        size += entry.size
    if part:
        yield part


async def send(
    primary: Redis, stream: str, entries: Sequence[Entry], *, prove: bool
) -> list[bytes]:
    """The ids that they got there. ``prove``: ask for the fsync, where nobody may read whether
    there is one. Raises RedisError, OSError; any may have landed all the same."""
    # Redis reads 16 kB a turn, and fsyncs the writes of each turn before the next: live beacons
    # would wait for as many fsyncs. A transaction is one. WAITAOF does not wait within one.
    async with primary.pipeline(transaction=not prove) as pipeline:
        for entry in entries:
            pipeline.execute_command("XADD", stream, "*", *chain(*entry.fields.items()))
        if prove:
            pipeline.execute_command("WAITAOF", 1, 0, _FSYNC_WITHIN_MS)
        replies = await pipeline.execute()
    if prove and int(replies.pop()[0]) < 1:
        raise RedisError("not fsynced in time")
    return [bytes(entry_id) for entry_id in replies]
