"""The drain closes the boots of dead workers, whatever stands beside them."""

import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from edge.batches.boot_file import BootFile
from edge.batches.closing import DeadBoots
from shared.heartbeat import BootBeat, redis_key

pytestmark = pytest.mark.anyio
_KEY = redis_key("test")
_HUGE = msgspec.msgpack.encode(BootBeat(at=1, low=2**64 - 1, low_time=1, last_acked=3))


def die(folder: Path, boot: int, edge: str = "") -> Path:
    """A worker that is gone, and its boot file, which may be of a version that wrote no name."""
    file = BootFile(folder, boot, edge)
    file.write_acked(41)
    file.close()
    return file.path


async def is_ended(redis: Redis, boot: int) -> bool:
    raw: Any = await redis.hget(_KEY, f"{boot:012x}")
    return raw is not None and msgspec.msgpack.decode(raw, type=BootBeat).ended


@pytest.mark.parametrize("standing", [b"junk", b"", b"\xc1", b"\x90", _HUGE])
async def test_a_heartbeat_that_cannot_be_read_is_said_once_and_holds_no_other_boot_up(
    redis: Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture, standing: bytes
) -> None:
    kept, others = die(tmp_path, 2), [die(tmp_path, 1), die(tmp_path, 3)]
    await redis.hset(_KEY, f"{2:012x}", standing)
    dead = DeadBoots(tmp_path, "test", redis)
    with caplog.at_level(logging.ERROR, "edge.drain"):
        assert [await dead.close(now=99) for _ in range(3)] == [2, 0, 0]
    [said] = [record.getMessage() for record in caplog.records]
    assert "the heartbeat of the dead boot 000000000002 cannot be read" in said
    assert [await is_ended(redis, boot) for boot in (1, 3)] == [True, True]
    assert (kept.exists(), [path.exists() for path in others]) == (True, [False, False])
    assert await redis.hget(_KEY, f"{2:012x}") == standing
    await redis.hdel(_KEY, f"{2:012x}")
    assert await dead.close(now=99) == 1
    assert await is_ended(redis, 2)


async def test_a_boot_is_closed_under_the_name_that_its_file_says_and_without_one_under_todays(
    redis: Redis, tmp_path: Path
) -> None:
    today, former = (
        DeadBoots(tmp_path, "test", redis),
        DeadBoots(tmp_path, "old", redis, is_former=True),
    )
    for boot, edge in ((1, "test"), (2, "old"), (3, "")):
        die(tmp_path, boot, edge)
    assert await former.close(now=99) == 1
    assert await today.close(now=99) == 2
    assert await redis.hkeys(redis_key("old")) == [b"000000000002"]
    assert [await is_ended(redis, boot) for boot in (1, 2, 3)] == [True, False, True]


def flip(path: Path, at: int, byte: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] = byte
    path.write_bytes(raw)


async def test_a_boot_file_that_cannot_be_read_is_said_once_and_holds_no_other_boot_up(
    redis: Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flip(die(tmp_path, 1), 0, 0)
    flip(die(tmp_path, 2), 24, 0xFF)
    flip(die(tmp_path, 3), 55, 0xFF)
    (tmp_path / "junk.boot").write_bytes(die(tmp_path, 4).read_bytes())
    (tmp_path / "000000000005.boot").mkdir()
    die(tmp_path, 6)
    dead = DeadBoots(tmp_path, "test", redis)
    with caplog.at_level(logging.ERROR, "edge.drain"):
        for _ in range(3):
            await dead.close(now=99)
    assert [await is_ended(redis, boot) for boot in (4, 6)] == [True, True]
    said = " ".join(record.getMessage() for record in caplog.records)
    assert [said.count(name) for name in ("0001.boot", "0002.boot", "junk.boot", "0005.boot")] == [
        1, 1, 1, 1
    ]  # fmt: skip


async def test_a_worker_that_lives_is_neither_closed_nor_spoken_of(
    redis: Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = BootFile(tmp_path, 7)
    with caplog.at_level(logging.ERROR, "edge.drain"):
        assert await DeadBoots(tmp_path, "test", redis).close(now=99) == 0
    assert (caplog.records, file.path.exists()) == ([], True)
    file.close()
