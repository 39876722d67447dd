"""What a worker leaves behind when it is killed: a mapped file in the state folder per boot.

The worker holds a lock on it while it lives, so whoever gets that lock knows that the boot is
over. It survives the process, not the machine: after a power cut the heartbeat at the primary
is the better witness.
"""

import fcntl
import logging
import mmap
import os
import struct
import time
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO, NamedTuple

from edge.batches.boot import MAX_VOID_RUNS
from edge.batches.runs import Run
from edge.servers.promise import Weakness
from shared.durable import sync

_log = logging.getLogger("edge")
_SUFFIX = ".boot"
_HEAD = struct.Struct("<8sQQQQIIQ")  # magic, pid, last acked, place, beat, weak twice, void runs
_MAGIC = b"mrboot2\0"
_EDGE_AT = _HEAD.size + MAX_VOID_RUNS * 16
_EDGE_BYTES = 64
"""The name's room, last in the file: one of a version before this ends where it begins."""
_SIZE = _EDGE_AT + _EDGE_BYTES
_ACKED_AT = 16
_PLACE_AT = 24
_WEAK_AT = 40
_VOIDS_AT = 48


class Place(IntEnum):
    """Where a worker can store durably now."""

    NOWHERE = 0
    PRIMARY = 1
    SPOOL = 2


class BootRecord(NamedTuple):
    """One boot as its file tells. ``beat_ns``: CLOCK_MONOTONIC when the worker last said so.

    ``weak``: what primary and spool promise less. ``voids``: every number given up: a batch
    that named some may turn out to be damaged. ``edge``: the name under which the boot is known
    to the core, which the edge may have changed since; empty where the file does not say.
    """

    boot: int
    pid: int
    last_acked: int
    place: Place
    beat_ns: int
    voids: tuple[Run, ...] = ()
    weak: tuple[Weakness, Weakness] = (Weakness(0), Weakness(0))
    edge: str = ""


class BootFile:
    """The writing side, held open and locked by its worker."""

    def __init__(self, folder: Path, boot: int, edge: str = "") -> None:
        self.path = folder / f"{boot:012x}{_SUFFIX}"
        self._file: BinaryIO | None = None
        self._map = mmap.mmap(-1, _SIZE)
        _HEAD.pack_into(self._map, 0, _MAGIC, os.getpid(), 0, Place.NOWHERE, 0, 0, 0, 0)
        struct.pack_into(f"{_EDGE_BYTES}s", self._map, _EDGE_AT, edge.encode())
        self._said = False
        self.make()

    def make(self) -> None:
        """Have it on the disk, if it is not there yet; without one, as on a full disk, the worker
        serves all the same. To be called again until then."""
        if self._file is not None:
            return
        try:
            self._file, made = self._make()
        except OSError as error:
            if not self._said:
                _log.error("no boot file can be made (%s): serving without one", error.strerror)
            self._said = True
            return
        self._map.close()
        self._map = made

    def _make(self) -> tuple[BinaryIO, mmap.mmap]:
        # Locked before it has its name, lest the drain finds it unlocked and takes it for dead.
        forming = self.path.with_suffix(".forming")
        file = None
        try:
            file = _room_for(forming)
            made = mmap.mmap(file.fileno(), _SIZE)
            made[:] = self._map[:]
            # Once on the disk: a boot whose file a power cut takes is closed by nobody.
            made.flush()
            forming.rename(self.path)
            sync(self.path.parent)
        except OSError:
            for path in (forming, self.path):
                path.unlink(missing_ok=True)
            if file is not None:
                file.close()
            raise
        return file, made

    def write_acked(self, seq: int) -> None:
        """The highest number acknowledged."""
        struct.pack_into("<Q", self._map, _ACKED_AT, seq)

    def write_place(self, place: Place) -> None:
        """Where this worker could store now."""
        struct.pack_into("<QQ", self._map, _PLACE_AT, place, time.monotonic_ns())

    def write_weak(self, primary: Weakness, spool: Weakness) -> None:
        """What these two promise less than an fsync."""
        struct.pack_into("<II", self._map, _WEAK_AT, primary, spool)

    def write_voids(self, runs: tuple[Run, ...]) -> None:
        """Every number given up."""
        ends = [end for run in runs for end in run]
        struct.pack_into(f"<Q{len(ends)}Q", self._map, _VOIDS_AT, len(runs), *ends)

    def close(self) -> None:
        """Let go of the lock; the drain closes the boot."""
        self._map.close()
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        """The boot is closed and said so at the primary."""
        self.path.unlink(missing_ok=True)
        self.close()


def _room_for(path: Path) -> BinaryIO:
    """A locked file with its blocks on the disk: to write into a hole of a mapped file, on a disk
    that has become full, would end the process. Raises OSError."""
    file = path.open("w+b")
    try:
        os.posix_fallocate(file.fileno(), 0, _SIZE)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        file.close()
        raise
    return file


def boot_files(folder: Path) -> set[Path]:
    """Those that can be read, and those that cannot."""
    return set(folder.glob(f"*{_SUFFIX}"))


def read_boots(folder: Path) -> Iterator[tuple[Path, bool, BootRecord]]:
    """(file, whether its worker lives, what it says) of every boot in the folder that can be
    read."""
    for path in sorted(boot_files(folder)):
        try:
            with path.open("r+b") as file:
                record = _read_record(path, file.read(_SIZE))
                if record is not None:
                    yield path, _is_locked(file.fileno()), record
        except (OSError, ValueError):
            continue


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _read_record(path: Path, raw: bytes) -> BootRecord | None:
    if len(raw) < _HEAD.size or not raw.startswith(_MAGIC):
        return None
    _, pid, last_acked, place, beat_ns, primary, spool, count = _HEAD.unpack_from(raw)
    room = (len(raw[:_EDGE_AT]) - _HEAD.size) // 16
    ends = struct.unpack_from(f"<{min(count, room) * 2}Q", raw, _HEAD.size)
    voids = tuple(zip(ends[::2], ends[1::2], strict=True))
    weak = Weakness(primary), Weakness(spool)
    edge = raw[_EDGE_AT:].rstrip(b"\0").decode()
    boot = int(path.stem, 16)
    return BootRecord(boot, pid, last_acked, Place(place), beat_ns, voids, weak, edge)
