"""A worker is known to the core before it can receive anything."""

from pathlib import Path

import pytest
from redis import Redis

from edge import worker
from shared.heartbeat import redis_key
from tests.edge_under_test import edge_settings, running_edge
from writer.ledger.beats import read_beats

pytestmark = pytest.mark.anyio


async def test_a_worker_tells_its_boot_before_it_serves(
    primary: str, spool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Should the primary's disk stall for a second, it would serve all the same.
    monkeypatch.setattr(worker, "_CHORE_TIMEOUT_S", 30.0)
    async with running_edge(edge_settings(primary, spool, tmp_path)) as edge:
        with Redis.from_url(primary) as redis:
            boots, _ = read_beats("test", redis.hgetall(redis_key("test")))
        beat = boots[edge.worker.boot.id]
        assert (beat.low, beat.last_acked, beat.ended) == (0, 0, False)
        assert 0 < beat.low_time <= edge.worker.clock.now()


async def test_a_worker_serves_though_no_primary_hears_it(spool: str, tmp_path: Path) -> None:
    nowhere = "redis://127.0.0.1:1/0"
    async with running_edge(edge_settings(nowhere, spool, tmp_path)) as edge:
        assert (await edge.post()).status == 202
