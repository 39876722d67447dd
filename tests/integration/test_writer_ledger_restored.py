"""A writer that goes on while its database is restored tells it again what the edges counted."""

from typing import Any

import msgspec
import psycopg
import pytest

from shared.heartbeat import BootBeat, redis_key
from shared.redis_connection import connect
from tests.writer_world import SITE, put_edge, rows
from writer.database.connection import Unavailable
from writer.database.session import Session
from writer.ledger.keeper import Ledger

pytestmark = pytest.mark.anyio

COUNTS = "select site, outcome, events from edge_count"


async def test_counts_that_a_restored_database_lacks_are_told_again(
    database: str, primary: str
) -> None:
    put_edge(database)
    redis, session = connect(primary, 60.0, connect_timeout_s=60.0), Session(database, "restored")
    ledger = Ledger(session, redis)
    beat = BootBeat(1, 0, 1, 0, counts={SITE: {"received": 5}})
    field: Any = {b"%012x" % 7: msgspec.msgpack.encode(beat)}
    await redis.hset(redis_key("e1"), mapping=field)
    await ledger.copy_heartbeats()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("delete from edge_count")
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
            " and backend_type = 'client backend'"
        )
    with pytest.raises(Unavailable):
        await ledger.copy_heartbeats()
    await ledger.copy_heartbeats()
    assert rows(database, COUNTS) == [(SITE, "received", 5)]
    session.close()
    await redis.aclose()
