"""Sealing keys change under a running writer: what is on its way still opens, edges hear of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from redis.asyncio import Redis

from infrastructure.secret_file import put_secret
from shared.keys import new_seal_key, public_seal_key, read_signing_key
from shared.snapshot import REDIS_KEY, Snapshot, verify
from tests.writer_streams import LOADED_S, until_emptied
from tests.writer_world import (
    SEAL_KEY,
    SIGNING_KEY,
    FakeEdge,
    envelope,
    put_edge,
    put_site,
    rows,
    standing,
    writer_settings,
)
from writer.app import Writer
from writer.known.key_ring import KeyRing
from writer.stream import stream_key

pytestmark = pytest.mark.anyio


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    put_secret(file, SEAL_KEY)
    return file


@pytest.fixture
async def writer(database: str, primary: str, keys_file: Path) -> AsyncIterator[Writer]:
    put_site(database)
    put_edge(database)
    made = Writer(writer_settings(database, primary), seal_keys_file=keys_file)
    async with anyio.create_task_group() as running:
        running.start_soon(made.run)
        yield made
        made.consumer.stop()
    await made.close()


async def send(redis: Redis, seal_key: str) -> None:
    fields: Any = dict(FakeEdge(seal_key=seal_key).entry([envelope()]).fields)
    await redis.xadd(stream_key("e1"), fields)


async def until_edges_seal_to(redis: Redis, key: str) -> Snapshot:
    with anyio.fail_after(LOADED_S):
        while True:
            raw = await redis.get(REDIS_KEY)
            if isinstance(raw, bytes):
                found = verify(raw, read_signing_key(SIGNING_KEY).verify_key)
                if found.seal_keys[0] == public_seal_key(key):
                    return found
            await anyio.sleep(0.02)


async def test_a_rotation_reaches_the_edges_and_batches_sealed_before_it_still_open(
    database: str, redis: Redis, writer: Writer, keys_file: Path
) -> None:
    before = await until_edges_seal_to(redis, SEAL_KEY)
    fresh = new_seal_key()
    put_secret(keys_file, f"{fresh}\n{SEAL_KEY}\n")
    after = await until_edges_seal_to(redis, fresh)
    assert after.order > before.order
    await send(redis, SEAL_KEY)
    await send(redis, fresh)
    await until_emptied(redis)
    assert len(standing(database)) == 2
    assert rows(database, "select reason from quarantine") == []


def test_a_batch_sealed_to_a_key_not_noticed_yet_opens(keys_file: Path) -> None:
    ring = KeyRing(SEAL_KEY, keys_file)
    ring.refresh()
    fresh = new_seal_key()
    put_secret(keys_file, f"{fresh}\n{SEAL_KEY}\n")
    assert ring.get(fresh.partition(":")[0]) is not None
    assert next(iter(ring)) == fresh.partition(":")[0]
    assert ring.get("ffffffff") is None


@pytest.mark.parametrize("content", ["", "not a key", None])
def test_a_file_that_is_spoilt_or_gone_takes_no_key_away(
    keys_file: Path, content: str | None
) -> None:
    ring = KeyRing(SEAL_KEY, keys_file)
    if content is None:
        keys_file.unlink()
    else:
        keys_file.write_text(content)
    ring.refresh()
    assert list(ring) == [SEAL_KEY.partition(":")[0]]
    assert ring.publics == (public_seal_key(SEAL_KEY),)


def test_a_key_taken_out_of_the_file_is_offered_to_no_edge_and_still_opens(
    keys_file: Path,
) -> None:
    ring = KeyRing(SEAL_KEY, keys_file)
    fresh = new_seal_key()
    put_secret(keys_file, fresh)
    ring.refresh()
    assert list(ring) == [fresh.partition(":")[0], SEAL_KEY.partition(":")[0]]
    assert ring.publics == (public_seal_key(fresh),)


async def test_a_writer_that_lags_behind_does_not_take_a_newer_key_back(
    database: str, redis: Redis, writer: Writer, keys_file: Path, primary: str
) -> None:
    fresh = new_seal_key()
    put_secret(keys_file, f"{fresh}\n{SEAL_KEY}\n")
    newer = await until_edges_seal_to(redis, fresh)
    lagging = Writer(writer_settings(database, primary))
    for _ in range(3):
        await lagging.publisher.publish()
    assert (await until_edges_seal_to(redis, fresh)).order == newer.order
    await lagging.close()
