"""Whatever somebody seals and sends, it is set aside and its neighbours are stored: the key that
batches are sealed to is public, so that anybody who can write to a stream can seal anything."""

import os
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import zstandard
from nacl.public import SealedBox
from redis.asyncio import Redis

from shared.batch import VERSION, Header, Sealed
from shared.envelope import Envelope
from shared.keys import public_seal_key, read_public_key
from tests.writer_streams import until, until_emptied
from tests.writer_world import (
    NOON,
    SEAL_KEY,
    FakeEdge,
    client_id,
    envelope,
    put_edge,
    put_site,
    rows,
    standing,
    writer_settings,
)
from writer.app import Writer, running_writer
from writer.prepare import Entry
from writer.stream import stream_key

pytestmark = pytest.mark.anyio

YEAR_9999 = 253_402_300_799_000_000
YEAR_1 = -62_135_596_800_000_000


def forged(header: dict[str, Any] | None = None, *envelopes: Envelope, plain: bytes = b"") -> Entry:
    """An entry whose plain fields and sealed part agree, whatever they say."""
    key_id, public = read_public_key(public_seal_key(SEAL_KEY))
    boot = int.from_bytes(os.urandom(6))
    told = {"boot": boot, "seq": 1, "n": len(envelopes), "low": 0, "void": (), **(header or {})}
    whole = Header(VERSION, key_id, "e1", **told)
    packed = plain or msgspec.msgpack.encode(Sealed(whole, list(envelopes)))
    fields = {
        b"v": b"%d" % VERSION,
        b"key": key_id.encode(),
        b"edge": b"e1",
        b"boot": b"%012x" % whole.boot,
        b"seq": b"%d" % whole.seq,
        b"n": b"%d" % whole.n,
        b"low": b"%d" % whole.low,
        b"void": b",".join(b"%d" % number for number in whole.void),
        b"body": SealedBox(public).encrypt(zstandard.compress(packed)),
    }
    return Entry("e1", b"0-1", fields)


def placed(first: int, **more: Any) -> Envelope:
    return msgspec.structs.replace(envelope(**more), first=first)


HOSTILE = {
    "received beyond every calendar": forged({}, envelope(received_at=1 << 62)),
    "received before every calendar": forged({}, envelope(received_at=-(1 << 62))),
    "received in the last year": forged({}, envelope(received_at=YEAR_9999)),
    "received in the first year": forged({}, envelope(received_at=YEAR_1)),
    "seq of 64 bits": forged({"seq": 1 << 63}, envelope()),
    "seq of 42 bits": forged({"seq": 1 << 41}, envelope()),
    "boot of 64 bits": forged({"boot": (1 << 64) - 1}, envelope()),
    "n of 41 bits": forged({"n": 1 << 40}, envelope()),
    "n below zero": forged({"n": -1}, envelope()),
    "n more than there are": forged({"n": 7}, envelope()),
    "n fewer than there are": forged({"n": 1}, envelope(), placed(1)),
    "first of 61 bits": forged({}, placed(1 << 60)),
    "first below zero": forged({}, placed(-1)),
    "two of one place": forged({"n": 2}, envelope(), placed(0)),
    "taken more often than told": forged(
        {}, msgspec.structs.replace(envelope(), taken=list(range(50)))
    ),
    "an array of more than told": forged(
        {}, envelope(body=msgspec.json.encode([{"site": "example.com", "name": "x"}] * 3))
    ),
    "one envelope more, another fewer than told": forged(
        {"n": 4},
        envelope(body=msgspec.json.encode([{"site": "example.com", "name": "x"}] * 3)),
        placed(2, body=msgspec.json.encode([{"site": "example.com", "name": "y"}])),
    ),
    "low of 64 bits": forged({"low": 1 << 63}, envelope()),
    "void of 64 bits": forged({"void": (1 << 63,)}, envelope()),
    "nested without end": forged({}, plain=b"\x91" * 100_000 + b"\xc0"),
}


@pytest.fixture
async def world(
    database: str, primary: str, redis: Redis
) -> AsyncIterator[tuple[str, Redis, Writer]]:
    put_site(database)
    put_edge(database, "e1")
    put_edge(database, "e2")
    async with running_writer(writer_settings(database, primary)) as writer:
        yield database, redis, writer


async def send_together(redis: Redis, *entries: Entry) -> None:
    """In one step, so that they are read at once."""
    async with redis.pipeline(transaction=True) as pipe:
        for entry in entries:
            pipe.xadd(stream_key(entry.edge), dict(entry.fields))  # type: ignore[arg-type]
        await pipe.execute()


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_entry_is_set_aside_whole_and_its_neighbours_are_stored(
    what: str, world: tuple[str, Redis, Writer]
) -> None:
    database, redis, writer = world
    here, there = FakeEdge("e1"), FakeEdge("e2")
    await send_together(
        redis,
        here.entry([envelope(title="before", id=client_id(1))]),
        HOSTILE[what],
        here.entry([envelope(title="after", id=client_id(2))]),
        there.entry([envelope(title="elsewhere", id=client_id(3))]),
    )
    await until_emptied(redis, "e1", "e2")
    assert sorted(standing(database, "title")) == [("after",), ("before",), ("elsewhere",)]
    assert rows(database, "select edge, index from quarantine") == [("e1", None)]
    assert rows(database, "select count(*) from batch") == [(3,)]
    await until(lambda: bool(writer.readiness()["ready"]), "it goes on")


async def test_the_writer_goes_on_after_all_of_them_at_once(
    world: tuple[str, Redis, Writer],
) -> None:
    database, redis, _ = world
    there = FakeEdge("e2")
    await send_together(redis, *HOSTILE.values(), there.entry([envelope()]))
    await until_emptied(redis, "e1", "e2")
    await send_together(redis, there.entry([envelope(received_at=NOON + 1)]))
    await until_emptied(redis, "e1", "e2")
    assert len(standing(database)) == 2
    assert rows(database, "select count(*) from quarantine") == [(len(HOSTILE),)]
