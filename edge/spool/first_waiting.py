"""The first batch in the spool that is still owed: everything before it is where it has to be."""

from typing import Any

from redis.asyncio import Redis

HELD = "held"


def journal_key(edge: str) -> str:
    """The hash in the spool in which the drain notes how far the journal is."""
    return f"journal:{edge}"


async def first_waiting(spool: Redis, edge: str) -> bytes | None:
    """The id of its entry, or with a journal one after the last that the database has; None when
    the spool is empty. Raises RedisError, OSError."""
    held: Any = await spool.hget(journal_key(edge), HELD)
    if held is not None:
        return bytes(held)
    first: Any = await spool.xrange(f"ingest:{edge}", count=1)
    return bytes(first[0][0]) if first else None
