"""An edge with a journal, its drain and a writer as processes, on servers that a test may ruin."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import redis

from infrastructure.local.ports import free_ports
from infrastructure.local.redis_server import RedisServer
from shared.heartbeat import BootBeat, DrainBeat, redis_key
from shared.receipt import place
from shared.stream_state import read_entry_id
from tests.edge_processes import ROOT, EdgeProcesses, edge_processes, wait_for
from tests.edge_under_test import SEAL_KEY, SIGNING_KEY, SITE
from tests.writer_world import put_edge, put_site, rows, standing
from writer.ledger.equation import read_edge

EDGE, STREAM = "test", "ingest:test"
_AOF = "appendonlydir"
WITHIN_S = 90.0
"""A batch that is sent again is on its way for some seconds on a quiet machine."""


def until(found: Callable[[], Any]) -> None:
    """Wait until it is true."""
    wait_for(found, WITHIN_S)


class WriterProcess:
    """``python -m writer`` on a database that may be swapped while it is stopped."""

    def __init__(self, database: str, primary: RedisServer) -> None:
        [port] = free_ports(1)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MILLRACE_")}
        self._env = clean | {
            "PYTHONPATH": str(ROOT),
            "MILLRACE_PRIMARY_URL": primary.url,
            "MILLRACE_POSTGRES_URL": database,
            "MILLRACE_SIGNING_KEY": SIGNING_KEY,
            "MILLRACE_SEAL_KEYS": SEAL_KEY,
            "MILLRACE_WRITER_PORT": str(port),
            "MILLRACE_GEO_DIR": "/nonexistent",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "writer"]
        self._process = subprocess.Popen(command, env=self._env, cwd=ROOT)

    def stop(self) -> None:
        """At once: what it holds it gets again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None


class JournalWorld:
    """``receipts``: of everything that was acknowledged."""

    def __init__(
        self, primary: RedisServer, spool: RedisServer, database: str, edge: EdgeProcesses
    ) -> None:
        self.primary, self.spool, self.database, self.edge = primary, spool, database, edge
        self.writer = WriterProcess(database, primary)
        self.receipts: list[str] = []

    def post(self, count: int = 1, **fields: Any) -> None:
        """So many beacons, one after the other; every one is acknowledged."""
        for _ in range(count):
            url = f"https://{SITE}/{len(self.receipts)}"
            answer = self.edge.post({"site": SITE, "url": url, **fields})
            assert answer.status == 202, answer.json
            self.receipts.append(answer.receipt)

    def stored(self) -> list[str]:
        return [str(event_id) for (event_id,) in standing(self.database)]

    def until_stored(self) -> None:
        """All that was acknowledged is stored, each once, and nothing else; by event id."""
        until(lambda: set(self.receipts) <= set(self.stored()))
        assert Counter(self.stored()) == Counter(self.receipts)

    def until_sent(self) -> None:
        """All that was acknowledged is at the primary, unread."""
        until(lambda: self.length(self.primary) >= len(self.receipts))

    def until_held_is_past_all(self) -> None:
        """The drain knows that the database has everything, and the worker has told."""
        until(lambda: self._held() > self._last_spooled())
        last = max(seq for _, seq in self.numbers())
        until(lambda: any(beat.low >= last for beat in self.boot_beats()))
        until(lambda: (drain := self.drain_beat()) is not None and drain.batches == 0)

    def length(self, server: RedisServer) -> int:
        with server.client() as client:
            return int(client.xlen(STREAM))

    def drain_beat(self) -> DrainBeat | None:
        raw = self._beats().get(b"drain")
        return None if raw is None else msgspec.msgpack.decode(raw, type=DrainBeat)

    def boot_beats(self) -> list[BootBeat]:
        return list(self.beats_by_boot().values())

    def beats_by_boot(self) -> dict[int, BootBeat]:
        found = self._beats()
        found.pop(b"drain", None)
        return {
            int(field, 16): msgspec.msgpack.decode(raw, type=BootBeat)
            for field, raw in found.items()
        }

    def drain_metric(self, name: str) -> float:
        """A figure at the drain's /metrics."""
        for line in self.edge.drain_metrics().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        raise AssertionError(f"no metric {name}")

    def lost(self) -> list[tuple[Any, ...]]:
        """What the ledger calls lost."""
        return rows(self.database, "select boot, lost::text from boot where lost <> '{}'")

    def until_the_equation_holds(self) -> None:
        """As ``millrace ledger`` prints it, with every event stored."""

        def holds() -> bool:
            with (
                psycopg.connect(self.database, autocommit=True) as connection,
                redis.Redis.from_url(self.primary.url) as primary,
            ):
                sums = read_edge(connection, primary, EDGE)
            count = len(self.receipts)
            return sums.holds and (sums.received, sums.stored, sums.spooled) == (count, count, 0)

        until(holds)

    def numbers(self) -> set[tuple[int, int]]:
        """(boot, seq) of everything acknowledged."""
        found = [place(UUID(receipt)) for receipt in self.receipts]
        return {(one.boot, one.seq) for one in found if one is not None}

    def lose_primary(self, copy: Path | None = None) -> None:
        """Its disk is gone; it starts empty, or from what a copy holds."""
        self.primary.kill()
        shutil.rmtree(self.primary.folder / _AOF)
        if copy is not None:
            shutil.copytree(copy, self.primary.folder / _AOF)
            if self.primary.account:
                for path in (self.primary.folder / _AOF, *(self.primary.folder / _AOF).iterdir()):
                    self.primary.account.give(path)
        self.primary.start()

    def copy_primary(self, to: Path) -> Path:
        """What a replica had that fell behind from now on."""
        return Path(shutil.copytree(self.primary.folder / _AOF, to / "replica"))

    def _held(self) -> tuple[int, int]:
        with self.spool.client() as client:
            held: Any = client.hget("journal:test", "held")
        return (0, 0) if held is None else read_entry_id(held)

    def _last_spooled(self) -> tuple[int, int]:
        with self.spool.client() as client:
            found: Any = client.xinfo_stream(STREAM)
        return read_entry_id(found["last-generated-id"])

    def _beats(self) -> dict[bytes, bytes]:
        try:
            with self.primary.client() as client:
                return dict(client.hgetall(redis_key(EDGE)))
        except redis.RedisError:
            return {}


@contextmanager
def journal_world(
    primary: RedisServer, spool: RedisServer, database: str, state: Path, **settings: str
) -> Iterator[JournalWorld]:
    """The edge runs, and neither drain nor writer; one site is registered."""
    put_edge(database, EDGE)
    put_site(database, SITE)
    given = {"edge_journal": "on", **settings}
    with edge_processes(primary.url, spool.url, state, **given) as edge:
        edge.start_edge()
        until(lambda: edge.readiness()["ready"])
        world = JournalWorld(primary, spool, database, edge)
        try:
            yield world
        finally:
            world.writer.stop()


def restore_from(database: str, copy: str, admin: str) -> None:
    """The copy takes the database's name, as a restored backup would; nobody is connected."""
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())
        connection.execute(f"alter database {copy} rename to {name}".encode())


def copy_database(database: str, copy: str, admin: str) -> None:
    """A backup of now, for which everybody is thrown out, TimescaleDB's own workers included."""
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with psycopg.connect(admin, autocommit=True) as connection:
        # A try before this one may have left it.
        connection.execute(f"drop database if exists {copy} with (force)".encode())
        connection.execute(f"alter database {name} allow_connections false".encode())
        until(lambda: not _thrown_out(connection, name))
        connection.execute(f"create database {copy} template {name}".encode())
        connection.execute(f"alter database {name} allow_connections true".encode())


def _thrown_out(connection: psycopg.Connection[Any], name: Any) -> int:
    found = connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
    )
    return len(found.fetchall())
