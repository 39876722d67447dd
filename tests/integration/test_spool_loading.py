"""A spool that still loads its file: in nobody's way while the primary is well."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis.exceptions import BusyLoadingError, RedisError

from infrastructure.local.account import server_account
from infrastructure.local.ports import free_ports
from infrastructure.local.redis_server import RedisServer
from infrastructure.local.server_programs import server_programs
from tests.edge_processes import edge_processes, wait_for
from tests.spool_world import RECOVERS_WITHIN_S, SpoolWorld, Start

ENTRIES = 4_000
SITE = "shop.example"


class LoadingRedis(RedisServer):
    """Once ``dawdles`` is set it loads its file for a minute, or until told otherwise, and
    answers meanwhile as one with a large file does."""

    dawdles = False

    def let_load(self) -> None:
        with self.client() as client:
            client.config_set("key-load-delay", 0)

    def is_loading(self) -> bool:
        with self.client() as client:
            try:
                client.ping()
            except BusyLoadingError:
                return True
            except RedisError:
                return False
            return False

    def _write_config(self) -> Path:
        path = super()._write_config()
        if self.dawdles:
            with path.open("a") as file:
                file.write("key-load-delay 15000\nloading-process-events-interval-bytes 1024\n")
        return path

    def _wait_until_ready(self) -> None:
        if self.dawdles:
            wait_for(self.is_loading)
        else:
            super()._wait_until_ready()


@contextmanager
def _filled(folder: Path) -> Iterator[LoadingRedis]:
    program, (port,) = server_programs().redis, free_ports(1)
    server = LoadingRedis(program, folder, port, "test", account=server_account())
    server.start()
    with server.client() as client:
        with client.pipeline(transaction=False) as pipe:
            for number in range(ENTRIES):
                pipe.set(f"filler-{number}", os.urandom(1_100))
            pipe.execute()
        client.bgrewriteaof()
        wait_for(lambda: not client.info("persistence")["aof_rewrite_in_progress"])
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def world(redis_server: Start, scratch: Path, tmp_path: Path) -> Iterator[SpoolWorld]:
    primary = redis_server()
    with _filled(Path(tempfile.mkdtemp(prefix="loading-", dir=scratch))) as spool:
        spool.stop()
        spool.dawdles = True
        spool.start()
        with edge_processes(primary.url, spool.url, tmp_path / "state") as edge:
            edge.start_edge()
            yield SpoolWorld(primary, spool, edge)


def test_an_edge_started_beside_a_spool_that_loads_uses_the_primary(world: SpoolWorld) -> None:
    spool = world.spool
    assert isinstance(spool, LoadingRedis)
    assert world.post(SITE).status == 202
    assert spool.is_loading()
    world.primary.kill()
    answer = world.post_until_refused(SITE)
    assert answer.retry_after_s == 1
    assert world.edge.readiness()["stores_at"] == "nowhere"
    assert spool.is_loading()
    spool.let_load()
    assert world.seconds_until_taken(SITE) < RECOVERS_WITHIN_S
    world.drain_all()
