"""A log file that grows: its end, and then what is added to it."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from infrastructure.logs.line import EARLIEST, Line, read_line

_BLOCK = 64 * 1024


class LogFile:
    """``source`` is whose log it is."""

    def __init__(self, source: str, path: Path) -> None:
        self.source = source
        self._path = path
        self._position = 0
        self._inode = 0
        self._rest = b""
        self._at = EARLIEST

    def last(self, lines: int) -> list[Line]:
        """The end of it; what is added later comes from ``added``."""
        try:
            with self._path.open("rb") as file:
                self._inode = self._path.stat().st_ino
                raw = _end_of(file, lines)
                self._position = file.tell()
        except OSError:
            return []
        found = list(self._lines(raw))
        return found[max(0, len(found) - lines) :]

    def added(self) -> list[Line]:
        """Whole lines that were added since. A file that was cut or replaced is begun anew."""
        try:
            with self._path.open("rb") as file:
                now = self._path.stat()
                if now.st_ino != self._inode or now.st_size < self._position:
                    self._inode, self._position, self._rest = now.st_ino, 0, b""
                file.seek(self._position)
                raw = file.read()
                self._position = file.tell()
        except OSError:
            return []
        return list(self._lines(raw))

    def _lines(self, raw: bytes) -> Iterator[Line]:
        whole, newline, self._rest = (self._rest + raw).rpartition(b"\n")
        for text in whole.split(b"\n") if newline else ():
            line = read_line(self.source, text.decode("utf-8", "replace"), self._at)
            self._at = line.at
            yield line


def _end_of(file: BinaryIO, lines: int) -> bytes:
    """At least so many lines from the end, and the end of a line before them."""
    start = size = file.seek(0, 2)
    found = b""
    while start > 0 and found.count(b"\n") <= lines:
        start = max(0, start - _BLOCK)
        file.seek(start)
        found = file.read(size - start)
    file.seek(size)
    return found if start == 0 else found.partition(b"\n")[2]
