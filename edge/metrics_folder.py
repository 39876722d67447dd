"""The folder in which workers leave their metrics for the supervisor to add up.

A supervisor holds a lock on its folder for as long as it lives, however it ends: what nobody holds
is a killed one's, and the next one that starts removes it.
"""

import fcntl
import os
import shutil
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

_PREFIX = "millrace-edge-metrics-"


class MetricsFolder:
    """A fresh one in the system's temporary folder."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = _lock(self.path)

    def remove(self) -> None:
        """The edge has ended."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)


def remove_abandoned() -> None:
    """Those of supervisors that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        held = _lock(path)
        if held is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(held)


def _lock(path: Path) -> int | None:
    """The descriptor that holds it; None when another process does, or it is not ours to take."""
    with suppress(OSError), ExitStack() as opened:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        opened.callback(os.close, folder)
        if os.fstat(folder).st_uid == os.geteuid():
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            opened.pop_all()
            return folder
    return None
