"""`writer_vs_copy`: rows a second of one writer process, from the stream to XDEL, as a share of
binary COPY over one connection of the same rows, encoded beforehand, 2,000 a commit, into the
same table with the same indexes."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import psycopg
from redis import Redis

from infrastructure.local.ports import free_ports
from shared.clock import system_clock
from shared.envelope import Envelope
from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure
from tests.writer_world import (
    SEAL_KEY,
    SIGNING_KEY,
    FakeEdge,
    Pipe,
    envelope,
    put_edge,
    put_site,
)
from writer.encode import COLUMNS, payload
from writer.migrate import upgrade
from writer.prepare import Entry
from writer.stream import stream_key

PAIRS = 5
EVENTS = 40_000
A_BATCH = 50
A_COMMIT = 2_000
_ROOT = Path(__file__).resolve().parents[2]
_AGENTS = tuple(
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko)"
    f" Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("X11; Linux x86_64", "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X")
    for version in range(120, 142)
)
_EMPTY = "truncate events, client_id, batch, commits"


def run(context: Context) -> list[Figure]:
    """The ratio; rows a second of both beside it."""
    stack = context.stack
    upgrade(stack.postgres_url)
    put_site(stack.postgres_url, "shop.example")
    put_edge(stack.postgres_url)
    shares, ours, theirs = [], [], []
    with Redis.from_url(stack.primary_url) as redis, _writer(stack.postgres_url, stack.primary_url):
        _time_writer(stack.postgres_url, redis, _entries())
        for _ in range(PAIRS):
            copied = _time_copy(stack.postgres_url, _entries())
            written = _time_writer(stack.postgres_url, redis, _entries())
            context.say(f"  writer {written:,.0f} rows/s, COPY {copied:,.0f} rows/s")
            shares.append(written / copied)
            ours.append(written)
            theirs.append(copied)
    detail = {
        "events": EVENTS,
        "events_a_batch": A_BATCH,
        "pairs": PAIRS,
        "writer_rows_per_s": round(median(ours)),
        "copy_rows_per_s": round(median(theirs)),
    }
    return [
        Figure("writer_vs_copy", median(shares), min(shares), max(shares), "", detail),
    ]


def _time_writer(database: str, redis: Redis, entries: list[Entry]) -> float:
    """Rows a second from the moment that the stream is there until it is empty."""
    _run(database, _EMPTY)
    key = stream_key("e1")
    with redis.pipeline(transaction=False) as pipe:
        for entry in entries:
            fields: dict[Any, Any] = dict(entry.fields)
            pipe.xadd("staged", fields)
        pipe.execute()
    began = time.perf_counter()
    redis.rename("staged", key)
    while redis.xlen(key):
        time.sleep(0.005)
    took = time.perf_counter() - began
    _check(database)
    return EVENTS / took


def _time_copy(database: str, entries: list[Entry]) -> float:
    """Rows a second of COPY alone."""
    _run(database, _EMPTY)
    pipe = Pipe(database, now=system_clock())
    rows = [row for batch in pipe.preparer.prepare(entries).batches for row in batch.rows]
    pipe.close()
    payloads = [payload(rows[at : at + A_COMMIT], 1) for at in range(0, len(rows), A_COMMIT)]
    statement = f"COPY events ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"
    with psycopg.connect(database) as connection:
        began = time.perf_counter()
        for raw in payloads:
            with connection.cursor().copy(statement.encode()) as copy:
                copy.write(raw)
            connection.commit()
        took = time.perf_counter() - began
    _check(database)
    return EVENTS / took


def _check(database: str) -> None:
    with psycopg.connect(database) as connection:
        found = connection.execute("select count(*) from events").fetchone()
    if found != (EVENTS,):
        raise RuntimeError(f"{EVENTS} events sent, {found} stored")


def _run(database: str, statement: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement.encode())
        connection.execute("checkpoint")


def _entries() -> list[Entry]:
    edge, now = FakeEdge(), system_clock()
    return [edge.entry(_envelopes(now, number), A_BATCH) for number in range(EVENTS // A_BATCH)]


def _envelopes(now: int, batch: int) -> list[Envelope]:
    """Beacons as the tracker sends them: ids and addresses all distinct, pages and titles of a
    site with some thousands of them."""
    numbers = range(batch * A_BATCH, (batch + 1) * A_BATCH)
    return [_envelope(now + number, random.randrange(5_000)) for number in numbers]


def _envelope(received_at: int, page: int) -> Envelope:
    return envelope(
        received_at=received_at,
        site="shop.example",
        ip=".".join(str(random.randrange(1, 255)) for _ in range(4)),
        user_agent=random.choice(_AGENTS),
        url=f"https://shop.example/section/{page % 97}/article-{page}?utm_source=news",
        referrer=random.choice(("", "https://www.google.com/", "https://t.co/a")),
        title=f"Article {page} of the shop",
        id=uuid4(),
        width=1200 + page % 700,
    )


@contextmanager
def _writer(database: str, primary: str) -> Iterator[None]:
    environment = {
        "MILLRACE_POSTGRES_URL": database,
        "MILLRACE_PRIMARY_URL": primary,
        "MILLRACE_SIGNING_KEY": SIGNING_KEY,
        "MILLRACE_SEAL_KEYS": SEAL_KEY,
        "MILLRACE_WRITER_PORT": str(free_ports(1)[0]),
        "MILLRACE_LOG_LEVEL": "warning",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "writer"],
        cwd=_ROOT,
        env={"PATH": os.environ["PATH"], **environment},
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)
