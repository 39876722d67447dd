"""Whether a product of some purpose runs from this checkout already, and by which process."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from infrastructure.local.folders import make_folder
from infrastructure.problem import Problem

_POLL_S = 0.1


@dataclass(frozen=True)
class Post:
    """Where a supervisor of one purpose can be found: a locked file with its process id."""

    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "supervisor.log"

    def pid(self) -> int | None:
        """The process id of the supervisor that holds this post now."""
        try:
            with self._file.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            text = self._file.read_text()
            return int(text) if text else 0
        return None

    def end(self, within_s: float) -> None:
        """SIGTERM to the supervisor, until it has let go. Raises Problem when it does not."""
        pid = self.pid()
        if not pid:
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + within_s
        while self.pid() is not None:
            if time.monotonic() > deadline:
                raise Problem(f"Process {pid} does not end: see {self.log}.")
            time.sleep(_POLL_S)

    @contextmanager
    def held(self) -> Iterator[IO[str]]:
        """Hold the post; Problem when another supervisor of this checkout does."""
        make_folder(self.folder)
        with self._file.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Problem("It is up already: see `./run status`.") from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield file

    @property
    def _file(self) -> Path:
        return self.folder / "supervisor.pid"
