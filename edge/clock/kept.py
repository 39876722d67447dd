"""What was last measured of the primary's clock, kept for a worker that starts in an outage.

Without it, such a worker would have to believe the host's wall clock, which may be wrong by an
hour. It is good for as long as the machine runs: its steady clock begins anew with each start.
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from edge.clock.capture import Measured

_MACHINE_START = Path("/proc/sys/kernel/random/boot_id")
_SIZE = 256


class _Kept(msgspec.Struct):
    machine_start: str
    measured: Measured


class KeptClock:
    """One file in the state folder, common to the workers: each measures the same."""

    def __init__(self, folder: Path, machine_start: Path = _MACHINE_START) -> None:
        self._path = folder / "clock"
        self._machine_start = machine_start.read_text().strip()

    def read(self) -> Measured | None:
        """None where nothing was kept since the machine started."""
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return kept.measured if kept.machine_start == self._machine_start else None

    def write(self, measured: Measured) -> None:
        """Keep it, where the folder takes it: nothing that was acknowledged hangs on it."""
        raw = msgspec.json.encode(_Kept(self._machine_start, measured)).ljust(_SIZE)
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                # One write over the last, so that no worker meets the half of another's.
                os.pwrite(descriptor, raw, 0)
            finally:
                os.close(descriptor)
