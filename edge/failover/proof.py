"""The drain's word that the primary is well, shared with the workers of the host in a mapped file.

A file and not a key in the spool: a spool that is down must not keep the breaker open, and reading
eight mapped bytes costs a worker nothing.
"""

import mmap
import struct
import time
from pathlib import Path

_PROVEN = struct.Struct("<Q")
_NAME = "primary-proven"


class Proof:
    """When the last probe that succeeded was begun, by CLOCK_MONOTONIC of the host, in ns."""

    def __init__(self, folder: Path) -> None:
        path = folder / _NAME
        with path.open("ab") as file:
            if file.tell() < _PROVEN.size:
                file.truncate(_PROVEN.size)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _PROVEN.size)
        self._path = path

    def read_ns(self) -> int:
        """0 when the primary was never proven; a value ahead of the clock is of an earlier boot."""
        proven: int = _PROVEN.unpack_from(self._map)[0]
        return proven if proven <= time.monotonic_ns() else 0

    def write_ns(self, proven: int) -> None:
        """Called by the drain alone, after a probe. Raises OSError: written through the map, a
        full disk would end the process."""
        with self._path.open("r+b", buffering=0) as file:
            file.write(_PROVEN.pack(proven))
