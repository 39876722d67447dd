"""A spool whose disk is used up: 503, nothing acknowledged lost, and it mends itself."""

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infrastructure.local.account import server_account
from infrastructure.local.ports import free_ports
from infrastructure.local.redis_server import RedisServer
from infrastructure.local.server_programs import server_programs
from tests.edge_processes import EdgeProcesses, edge_processes, wait_for
from tests.spool_world import NOISY, QUIET, RECOVERS_WITHIN_S, SpoolWorld, Start

DISK_NAME = "disk"
DISK = 8 * 1024 * 1024
BOUND = 64_000_000


class TinyDisk:
    """Holds a spool's append-only file: a file system of its own where we may mount one, else a
    limit on the size of the file. Either way a write fails in its middle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / DISK_NAME
        self.folder.mkdir()
        self.folder.chmod(0o777)
        self.is_mounted = os.geteuid() == 0
        if self.is_mounted:
            options = f"size={DISK},mode=0777"
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.folder], check=True
            )
        self._filler = self.folder / "somebody-elses-file"

    def fill(self, pid: int, leave: int) -> None:
        if self.is_mounted:
            disk = os.statvfs(self.folder)
            self._filler.write_bytes(bytes(max(0, disk.f_bavail * disk.f_frsize - leave)))
        else:
            used = sum(file.stat().st_size for file in self.folder.rglob("*.aof"))
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (used + leave, used + leave))

    def clear(self) -> None:
        """A limit has ended with the process that it killed."""
        self._filler.unlink(missing_ok=True)

    def remove(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=True)


class TinyRedis(RedisServer):
    """Its log and its configuration lie elsewhere."""

    more = ""

    def _write_config(self) -> Path:
        path = super()._write_config()
        with path.open("a") as file:
            file.write(f"dir {self.folder / DISK_NAME}\n{self.more}")
        return path


class SecretiveRedis(TinyRedis):
    """Has a user who may do everything but see and change how it is set up."""

    more = "user edge on >test ~* &* +@all -config\n"


class DiskWorld(SpoolWorld):
    """``restarts``: of a spool that ended itself."""

    def __init__(
        self, primary: RedisServer, spool: RedisServer, edge: EdgeProcesses, disk: TinyDisk
    ) -> None:
        super().__init__(primary, spool, edge)
        self.disk = disk
        self.restarts = 0

    def supervise(self) -> None:
        """What systemd or compose does."""
        if not self.spool.running:
            self.spool.start()
            self.restarts += 1

    def is_taken(self, site: str) -> bool:
        self.supervise()
        return self.post(site).status == 202

    def seconds_until_taken_again(self, site: str) -> float:
        began = time.monotonic()
        wait_for(lambda: self.is_taken(site))
        return time.monotonic() - began


@contextmanager
def _world(
    kind: type[TinyRedis], user: str, start: Start, scratch: Path, state: Path
) -> Iterator[DiskWorld]:
    folder = Path(tempfile.mkdtemp(prefix="tiny-", dir=scratch))
    primary, disk = start(), TinyDisk(folder)
    account, (port,) = server_account(), free_ports(1)
    spool = kind(server_programs().redis, folder, port, "test", account=account)
    url = f"redis://{user}:test@127.0.0.1:{port}/0"
    try:
        spool.start()
        bound = {"spool_max_bytes": str(BOUND)}
        with edge_processes(primary.url, url, state, **bound) as edge:
            edge.start_edge()
            world = DiskWorld(primary, spool, edge, disk)
            world.give_snapshot()
            yield world
    finally:
        spool.stop()
        disk.remove()


@pytest.fixture
def world(redis_server: Start, scratch: Path, tmp_path: Path) -> Iterator[DiskWorld]:
    with _world(TinyRedis, "default", redis_server, scratch, tmp_path / "state") as made:
        yield made


@pytest.fixture
def unseen(redis_server: Start, scratch: Path, tmp_path: Path) -> Iterator[DiskWorld]:
    """An edge that cannot ask where its spool's disk is."""
    with _world(SecretiveRedis, "edge", redis_server, scratch, tmp_path / "state") as made:
        yield made


def test_a_disk_nearly_full_ends_the_taking_while_deletions_still_have_room(
    world: DiskWorld,
) -> None:
    world.primary.kill()
    assert world.post(NOISY).status == 202
    world.disk.fill(world.spool.pid, leave=BOUND // 64)
    if world.disk.is_mounted:
        wait_for(lambda: world.edge.readiness()["stores_at"] == "nowhere")
    world.post_until_refused(NOISY)
    world.supervise()
    assert world.restarts == (0 if world.disk.is_mounted else 1)
    assert world.waiting() == len(world.acknowledged)
    world.drain_all()
    world.supervise()
    wait_for(lambda: world.edge.readiness()["stores_at"] == "primary")
    world.disk.clear()
    world.primary.kill()
    assert world.seconds_until_taken_again(QUIET) < RECOVERS_WITHIN_S
    world.drain_all()


def test_a_redis_that_dies_of_a_full_disk_keeps_what_was_acknowledged(unseen: DiskWorld) -> None:
    unseen.primary.kill()
    assert unseen.post(NOISY).status == 202
    unseen.disk.fill(unseen.spool.pid, leave=300_000)
    unseen.post_until_refused(NOISY)
    wait_for(lambda: not unseen.spool.running)
    kept = len(unseen.acknowledged)
    if unseen.disk.is_mounted:
        assert not unseen.is_taken(QUIET)
    unseen.disk.clear()
    assert unseen.seconds_until_taken_again(QUIET) < RECOVERS_WITHIN_S
    assert unseen.restarts > 0
    assert unseen.waiting() >= kept
    unseen.drain_all()
