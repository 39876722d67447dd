"""The drain sends no faster than it may, in order, and all of it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infrastructure.local.redis_server import RedisServer
from tests.edge_processes import edge_processes, wait_for

Start = Callable[..., RedisServer]
STREAM = "ingest:test"
ENTRIES, ENTRY_BYTES = 40, 16_000
BYTES_PER_S = 400_000
BEFORE_THE_FIRST_REST = 65_536


def numbers(redis: RedisServer) -> list[int]:
    with redis.client() as client:
        entries: Any = client.xrange(STREAM)
    return [int(fields[b"seq"]) for _, fields in entries]


def test_a_backlog_comes_home_in_order_and_no_faster_than_it_may(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    with spool.client() as client:
        for number in range(ENTRIES):
            client.xadd(STREAM, {"seq": number, "body": b"x" * ENTRY_BYTES})
    state, most = tmp_path / "state", str(BYTES_PER_S)
    with edge_processes(primary.url, spool.url, state, drain_bytes_per_s=most) as edge:
        began = time.monotonic()
        edge.start_drain()
        wait_for(lambda: not numbers(spool))
        took_s = time.monotonic() - began
    assert numbers(primary) == list(range(ENTRIES))
    # An upper bound would be a matter of the machine; sooner than this it must not be there.
    assert took_s > (ENTRIES * ENTRY_BYTES - BEFORE_THE_FIRST_REST) / BYTES_PER_S
