"""One edge whose way to the database a test moves by hand, and the ledger that watches it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import psycopg
from redis import Redis

from shared.heartbeat import BootBeat, redis_key
from shared.redis_connection import connect
from tests.writer_world import NOON, FakeEdge, Pipe, envelope, put_edge, put_site
from writer.database.session import Session
from writer.ledger.equation import EdgeSums, read_edge
from writer.ledger.keeper import Ledger
from writer.prepare import Entry
from writer.stream import stream_key


class World:
    """One edge whose heartbeats, stream and stored batches a test moves by hand."""

    def __init__(
        self, database: str, redis: Redis, ledger: Ledger, db: psycopg.Connection[Any]
    ) -> None:
        put_site(database)
        put_edge(database)
        self.database = database
        self.pipe = Pipe(database)
        self.redis = redis
        self.ledger = ledger
        self.db = db
        self.edge = FakeEdge(boot=0xABC)
        self.received = 0

    def acknowledge(self, events: int = 1, **fields: Any) -> Entry:
        """One batch that the edge has stored durably somewhere."""
        self.received += events
        return self.edge.entry([envelope(**fields) for _ in range(events)])

    def send(self, entry: Entry) -> Any:
        """Into the primary's stream; returns the id there."""
        fields: dict[Any, Any] = dict(entry.fields)
        return self.redis.xadd(stream_key("e1"), fields)

    async def tell(self, low: int, **more: Any) -> None:
        """A heartbeat, copied at once."""
        counts = {"example.com": {"received": self.received, "dropped:dnt": 2}}
        told = {
            "low_time": NOON,
            "last_acked": self.edge.seq,
            "counted_to": self.edge.seq,
            "counts": counts,
            **more,
        }
        raw = msgspec.msgpack.encode(BootBeat(at=NOON, low=low, **told))
        self.redis.hset(redis_key("e1"), f"{self.edge.boot:012x}", raw)
        await self.ledger.copy_heartbeats()

    def sums(self) -> EdgeSums:
        return read_edge(self.db, self.redis, "e1")


@asynccontextmanager
async def made_world(database: str, primary: str) -> AsyncIterator[World]:
    session, beats = Session(database, "test"), connect(primary, 60, connect_timeout_s=60)
    with (
        Redis.from_url(primary) as redis,
        psycopg.connect(database, autocommit=True) as db,
    ):
        world = World(database, redis, Ledger(session, beats), db)
        yield world
        world.pipe.close()
    await beats.aclose()
    await anyio.to_thread.run_sync(session.close)
