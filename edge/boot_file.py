"""What a worker leaves behind when it is killed: a mapped file in the state folder per boot.

The worker holds a lock on it while it lives, so whoever gets that lock knows that the boot is
over. It survives the process, not the machine: after a power cut the heartbeat at the primary
is the better witness.
"""

import fcntl
import mmap
import os
import struct
import time
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

_SUFFIX = ".boot"
_HEAD = struct.Struct("<8sQQQQQ")  # magic, pid, last acked, place, beat, voids
_MAGIC = b"mrboot1\0"
_SIZE = 8_192
_MOST_VOIDS = (_SIZE - _HEAD.size) // 8
_ACKED_AT = 16
_PLACE_AT = 24
_VOIDS_AT = 40


class Place(IntEnum):
    """Where a worker can store durably now."""

    NOWHERE = 0
    PRIMARY = 1
    SPOOL = 2


class BootRecord(NamedTuple):
    """One boot as its file tells. ``beat_ns``: CLOCK_MONOTONIC when the worker last said so."""

    boot: int
    pid: int
    last_acked: int
    place: Place
    beat_ns: int
    voids: tuple[int, ...]


class BootFile:
    """The writing side, held open and locked by its worker."""

    def __init__(self, folder: Path, boot: int) -> None:
        self.path = folder / f"{boot:012x}{_SUFFIX}"
        # Locked before it has its name, lest the drain finds it unlocked and takes it for dead.
        forming = self.path.with_suffix(".forming")
        self._file = forming.open("w+b")
        self._file.truncate(_SIZE)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._map = mmap.mmap(self._file.fileno(), _SIZE)
        _HEAD.pack_into(self._map, 0, _MAGIC, os.getpid(), 0, Place.NOWHERE, 0, 0)
        forming.rename(self.path)

    def write_acked(self, seq: int) -> None:
        """The highest number acknowledged."""
        struct.pack_into("<Q", self._map, _ACKED_AT, seq)

    def write_place(self, place: Place) -> None:
        """Where this worker could store now."""
        struct.pack_into("<QQ", self._map, _PLACE_AT, place, time.monotonic_ns())

    def write_voids(self, voids: tuple[int, ...]) -> None:
        """Numbers given up that no stored batch has named."""
        told = voids[:_MOST_VOIDS]
        struct.pack_into(f"<Q{len(told)}Q", self._map, _VOIDS_AT, len(told), *told)

    def close(self) -> None:
        """Let go of the lock; the drain closes the boot."""
        self._map.close()
        self._file.close()

    def remove(self) -> None:
        """The boot is closed and said so at the primary."""
        self.path.unlink(missing_ok=True)
        self.close()


def read_boots(folder: Path) -> Iterator[tuple[Path, bool, BootRecord]]:
    """(file, whether its worker lives, what it says) of every boot in the folder."""
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            with path.open("r+b") as file:
                record = _read_record(path, file.read(_SIZE))
                if record is not None:
                    yield path, _is_locked(file.fileno()), record
        except FileNotFoundError:
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
    _, pid, last_acked, place, beat_ns, count = _HEAD.unpack_from(raw)
    voids = struct.unpack_from(f"<{min(count, _MOST_VOIDS)}Q", raw, _HEAD.size)
    return BootRecord(int(path.stem, 16), pid, last_acked, Place(place), beat_ns, voids)
