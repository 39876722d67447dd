"""Group commit on a router that the test opens and shuts."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from edge.batches.batcher import Batcher, tell
from edge.batches.boot import Boot
from edge.batches.boot_file import BootFile, read_boots
from edge.batches.seal import Sealer
from edge.failover.router import NoPlace, Router, Stored, Where
from edge.spool.shares import Shares
from shared import batch, keys
from shared.envelope import Envelope, Headers
from tests.edge_under_test import SEAL_KEY

pytestmark = pytest.mark.anyio


class GatedRouter:
    """Stands for primary and spool: a batch is stored when the gate is opened."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.fails = False
        self.is_refusing = False
        self.commands: list[bytes] = []

    async def store(self, command: bytes) -> Stored:
        self.commands.append(command)
        self.begun.set()
        await self.gate.wait()
        if self.fails:
            raise NoPlace
        return Stored(Where.PRIMARY, b"1-0")


class Bench:
    def __init__(self, folder: Path) -> None:
        self.router = GatedRouter()
        self.boot = Boot(5)
        sealer = Sealer("test", keys.public_seal_key(SEAL_KEY))
        self.batcher = Batcher(
            self.boot,
            BootFile(folder, 5),
            sealer,
            cast(Router, self.router),
            Shares(5, 1 << 30, lambda _: True),
            lambda *_: None,
        )

    def put(self, body: bytes = b"{}") -> "asyncio.Future[int | None]":
        joined = self.batcher.batch_for(len(body), 1)
        envelope = Envelope(1, 1, "a", "", None, False, Headers(), joined.events, None, body)
        waiter: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self.batcher.put(joined, envelope, len(body), 1, tell(waiter))
        return waiter


async def test_what_arrives_during_a_flush_is_the_next_batch(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    running = asyncio.create_task(bench.batcher.run())
    first = bench.put()
    await bench.router.begun.wait()
    later = [bench.put() for _ in range(50)]
    bench.router.gate.set()
    assert await first == 1
    assert set(await asyncio.gather(*later)) == {2}
    assert len(bench.router.commands) == 2
    running.cancel()


async def test_nothing_is_acknowledged_before_it_is_stored(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    running = asyncio.create_task(bench.batcher.run())
    waiter = bench.put()
    await bench.router.begun.wait()
    assert not waiter.done()
    assert bench.boot.last_acked == 0
    running.cancel()


async def test_a_batch_keeps_to_its_size_and_a_larger_beacon_goes_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.router.gate.set()
    running = asyncio.create_task(bench.batcher.run())
    waiters = [bench.put(b"x" * 100_000) for _ in range(5)]
    large = bench.put(b"x" * (batch.MAX_BYTES * 2))
    small = bench.put()
    assert [await waiter for waiter in waiters] == [1, 1, 2, 2, 3]
    assert (await large, await small) == (4, 5)
    running.cancel()


async def test_a_failed_batch_is_void_and_the_next_names_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.router.gate.set()
    bench.router.fails = True
    running = asyncio.create_task(bench.batcher.run())
    assert await bench.put() is None
    bench.router.fails = False
    assert await bench.put() == 2
    assert b"$4\r\nvoid\r\n$1\r\n1\r\n" in bench.router.commands[1]
    assert b"$3\r\nlow\r\n$1\r\n1\r\n" in bench.router.commands[1]
    # Not forgotten by the file: that batch may turn out to be damaged.
    assert [record.voids for _, _, record in read_boots(tmp_path)] == [((1, 1),)]
    running.cancel()


async def test_while_everything_refuses_no_number_is_used_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.router.is_refusing = True
    running = asyncio.create_task(bench.batcher.run())
    assert await bench.put() is None
    assert (bench.boot.last_seq, bench.router.commands) == (0, [])
    running.cancel()


async def test_a_client_that_went_away_holds_nobody_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    running = asyncio.create_task(bench.batcher.run())
    gone, stays = bench.put(), bench.put()
    gone.cancel()
    bench.router.gate.set()
    assert await stays == 1
    running.cancel()
