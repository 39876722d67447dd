"""What many tests of the writer begin with; a test that needs another one defines its own."""

from collections.abc import AsyncIterator, Iterator

import anyio
import pytest
from redis.asyncio import Redis

from shared.redis_connection import connect
from tests.writer_world import Pipe, put_edge, put_site
from writer.ledger import Ledger
from writer.session import Session


@pytest.fixture
async def redis(primary: str) -> AsyncIterator[Redis]:
    """A client of the emptied primary."""
    client = connect(primary, 5)
    yield client
    await client.aclose()


@pytest.fixture
def pipe(database: str) -> Iterator[Pipe]:
    """Preparer and store of a database with one site."""
    put_site(database)
    made = Pipe(database)
    yield made
    made.close()


@pytest.fixture
async def ledger(database: str, redis: Redis) -> AsyncIterator[Ledger]:
    """Of one edge, ``e1``."""
    session = Session(database, "test")
    put_edge(database)
    yield Ledger(session, redis)
    await anyio.to_thread.run_sync(session.close)
