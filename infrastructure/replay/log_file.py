"""Log files read as streams: plain, gzip, or standard input."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from infrastructure.problem import Problem

STDIN = "-"
MAX_LINE_BYTES = 64 * 1024
_GZIP = b"\x1f\x8b"


class LogFile:
    """One file, or standard input. ``size``: its bytes on disk, None where nobody can know.

    Problem at once when it cannot be opened.
    """

    def __init__(self, name: str) -> None:
        self.name = "standard input" if name == STDIN else name
        self.cut_short = False
        self._raw, self.size = _open(name)

    def lines(self) -> Iterator[bytes]:
        """Its lines, one in memory at a time; of one that is far too long only the beginning.

        A gzip file that breaks off gives what can be read and is ``cut_short``.
        """
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw)) if self._is_gzip() else self._raw
        try:
            yield from _lines(stream)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self.cut_short = True

    def bytes_read(self) -> int:
        """How far it is read, in bytes on disk."""
        return self._raw.tell() if self.size is not None else 0

    def close(self) -> None:
        self._raw.close()

    def _is_gzip(self) -> bool:
        peek = getattr(self._raw, "peek", None)
        return peek is not None and peek(2)[:2] == _GZIP


def _open(name: str) -> tuple[BinaryIO, int | None]:
    if name == STDIN:
        return sys.stdin.buffer, None
    path = Path(name)
    try:
        stream = path.open("rb")
        size = path.stat().st_size if path.is_file() else None
    except OSError as error:
        raise Problem(f"The log {name} cannot be read: {error.strerror}.") from error
    return stream, size


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(MAX_LINE_BYTES):
        yield line
        while len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES)
