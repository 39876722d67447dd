"""How long this disk takes to make a small write durable, while something else uses it."""

import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_EVERY_S = 0.05
_BYTES = b"\0" * 4_096


class FsyncProbe:
    """Measures in a thread for as long as the context lasts; ``took_ms`` are the samples."""

    def __init__(self, folder: Path) -> None:
        self.took_ms: list[float] = []
        self._path = folder / "fsync-probe"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._measure)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._path.unlink()

    def _measure(self) -> None:
        with self._path.open("wb", buffering=0) as file:
            while not self._ended.wait(_EVERY_S):
                began = time.perf_counter()
                file.write(_BYTES)
                os.fdatasync(file.fileno())
                self.took_ms.append((time.perf_counter() - began) * 1_000)
