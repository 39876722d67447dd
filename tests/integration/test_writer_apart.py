"""What ends a writer again and again is set aside whole, and nothing else is delayed by it."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import anyio
import pytest
from redis.asyncio import Redis

from shared.redis_connection import connect
from tests.poisoned import make_poisoned
from tests.writer_streams import send
from tests.writer_world import (
    SEAL_KEY,
    FakeEdge,
    Pipe,
    envelope,
    put_edge,
    put_site,
    rows,
    standing,
    writer_settings,
)
from writer.apart import MAX_DELIVERIES, Apart, Careful
from writer.database.connection import Unavailable
from writer.prepare import Entry
from writer.stream import GROUP, Stream, stream_key

pytestmark = pytest.mark.anyio


def suspect(entry: Entry) -> Entry:
    return entry._replace(deliveries=MAX_DELIVERIES + 1)


@pytest.fixture
def apart(database: str) -> Iterator[Apart]:
    made = Apart(partial(make_poisoned, database, SEAL_KEY), cpu_s=2.0, answer_s=60.0)
    yield made
    made.close()


@pytest.mark.parametrize("poison", ["exit", "loop"])
def test_an_entry_that_ends_its_process_or_hangs_is_set_aside_whole(
    database: str, pipe: Pipe, apart: Apart, poison: str
) -> None:
    edge = FakeEdge()
    entries = [
        edge.entry([envelope(title="before")]),
        suspect(edge.entry([envelope(title="beside"), envelope(title=poison)])),
        suspect(edge.entry([envelope(title="after")])),
    ]
    read = Careful(pipe.preparer, apart).prepare(entries)
    pipe.store.put(read)
    assert sorted(standing(database, "title")) == [("after",), ("before",)]
    found = rows(database, 'select reason, seq, "index" from quarantine')
    assert found == [("poison", 2, None)]
    assert read.repeated == 0


def test_an_entry_that_waits_for_ever_is_set_aside_whole(database: str, pipe: Pipe) -> None:
    waiting = Apart(partial(make_poisoned, database, SEAL_KEY), answer_s=1.0)
    read = waiting.prepare(suspect(FakeEdge().entry([envelope(title="sleep")])))
    waiting.close()
    assert [entry.reason for entry in read.damaged] == ["poison"]


def test_a_database_that_is_away_is_no_entrys_fault(pipe: Pipe) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    apart = Apart(partial(make_poisoned, nowhere, SEAL_KEY))
    with pytest.raises(Unavailable):
        apart.prepare(suspect(FakeEdge().entry([envelope()])))
    apart.close()


async def test_entries_know_how_often_they_were_handed_out(primary: str) -> None:
    redis: Redis = connect(primary, 60, connect_timeout_s=60)
    await send(redis, FakeEdge().entry([envelope()]))
    times = []
    for _ in range(4):
        stream = Stream(redis, "e1", "w", 10)
        while not stream.waiting:
            await stream.read(10)
        times.append(stream.waiting.popleft().deliveries)
    other = Stream(redis, "e1", "other", 10)
    await other.read(10)
    await other.claim_abandoned(0)
    times.append(other.waiting.popleft().deliveries)
    await redis.aclose()
    assert times == [1, 2, 3, 4, 5]


async def test_a_writer_that_dies_of_an_event_gets_past_it_and_stores_the_rest(
    database: str, primary: str
) -> None:
    put_site(database)
    put_edge(database)
    redis: Redis = connect(primary, 60, connect_timeout_s=60)
    edge = FakeEdge()
    # Small reads, so that what is poisoned takes few neighbours along each time.
    entries = [
        edge.entry([envelope(title="exit" if n == 440 else str(n)) for n in range(at, at + 10)])
        for at in range(0, 1_000, 10)
    ]
    await send(redis, *entries)
    settings = writer_settings(database, primary)
    command = [sys.executable, "-m", "tests.poisoned_writer", database, primary]
    deaths = 0
    with anyio.fail_after(240):
        while await redis.xlen(stream_key("e1")):
            process = await asyncio.create_subprocess_exec(
                *command, settings.seal_keys, "the writer"
            )
            while process.returncode is None and await redis.xlen(stream_key("e1")):  # noqa: ASYNC110
                await anyio.sleep(0.1)
            if process.returncode is None:
                process.terminate()
                await process.wait()
            else:
                deaths += 1
    pending = await redis.xpending(stream_key("e1"), GROUP)
    await redis.aclose()
    assert pending["pending"] == 0
    assert deaths == MAX_DELIVERIES
    assert len(standing(database)) == 990
    assert rows(database, "select reason, seq from quarantine") == [("poison", 45)]


def test_a_read_that_takes_too_much_time_ends_its_process_whatever_holds_the_interpreter() -> None:
    endless = "__import__('re').match('(a+)+$', 'a' * 60 + 'b')"
    script = f"from writer.apart import _bounded\nwith _bounded(0.3):\n    {endless}"
    ended = subprocess.run([sys.executable, "-c", script], timeout=120, check=False)
    assert ended.returncode == -signal.SIGPROF
