"""The files of one server's append-only folder, read and replaced."""

import mmap
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from infrastructure.aof.commands import Buffer
from infrastructure.aof.edits import Edit
from infrastructure.problem import Problem
from shared.durable import sync

_LINE = re.compile(r"file (\S+) seq \d+ type ([bhi])(?: .*)?")
_CTIME = re.compile(rb"\xfa\x05ctime\xc2(.{4})", re.DOTALL)
_HEADER = 4_096
_PIECE = 1 << 20


class Files:
    """``repairable``: those of commands, in the order in which Redis reads them. ``base``: the
    snapshot before them, which has a checksum of its own; None without one."""

    def __init__(self, folder: Path) -> None:
        manifest = _manifest(folder)
        self.base: Path | None = None
        self.repairable: list[Path] = []
        for line in manifest.read_text(errors="replace").splitlines():
            self._take(manifest, line)

    @property
    def since_ms(self) -> int:
        """When the base was made; 0 where nothing says so."""
        if self.base is None:
            return 0
        with self.base.open("rb") as opened:
            found = _CTIME.search(opened.read(_HEADER))
        return int.from_bytes(found[1], "little") * 1_000 if found else 0

    @property
    def until_ms(self) -> int:
        """When something was last written."""
        return max(path.stat().st_mtime_ns // 1_000_000 for path in self.repairable)

    def _take(self, manifest: Path, line: str) -> None:
        read = _LINE.fullmatch(line)
        path = manifest.parent / read[1] if read else manifest
        if read is None or not path.is_file():
            raise Problem(
                f"{manifest} is damaged: {line!r} names no file. Its lines are `file NAME seq N "
                "type b` (base) or `type i` (incr) for the files beside it: mend "
                "it by hand, then come again."
            )
        if read[2] == "b" and path.suffix == ".rdb":
            self.base = path
        elif read[2] != "h":
            self.repairable.append(path)


def _manifest(folder: Path) -> Path:
    found = [*folder.glob("*.manifest"), *folder.glob("*/*.manifest")]
    if len(found) != 1:
        raise Problem(
            f"{folder} is not the folder of one Redis (`dir` in its redis.conf): there "
            f"{'is no' if not found else 'are several'} `appendonlydir/*.manifest`."
        )
    return found[0]


@contextmanager
def opened(path: Path) -> Iterator[Buffer]:
    """Its bytes, which the kernel reads as they are looked at."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
            yield buffer


class Replaced:
    """What stands beside a repaired file: as it was, and the bytes that were taken out."""

    def __init__(self, path: Path) -> None:
        number = next(n for n in range(1, 1_000) if not _names(path, n)[0].exists())
        self.damaged, self.unreadable = _names(path, number)


def _names(path: Path, number: int) -> tuple[Path, Path]:
    end = "" if number == 1 else f".{number}"
    return path.with_name(f"{path.name}.damaged{end}"), path.with_name(
        f"{path.name}.unreadable{end}"
    )


def replace(path: Path, buffer: Buffer, edits: Iterator[Edit]) -> Replaced:
    """Write it anew, durably; whoever looks sees the old file or the new one, whole."""
    before, beside = path.stat(), Replaced(path)
    new = path.with_name(f"{path.name}.repaired")
    with new.open("wb") as kept, beside.unreadable.open("wb") as aside:
        for file in (kept, aside):
            _give(file.fileno(), before)
        here = 0
        for edit in edits:
            _copy(buffer, here, edit.at, kept)
            kept.write(edit.put)
            if edit.sets_aside:
                _copy(buffer, edit.at, edit.end, aside)
            here = edit.end
        _copy(buffer, here, len(buffer), kept)
        for file in (kept, aside):
            file.flush()
            os.fsync(file.fileno())
    now = path.stat()
    if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        new.unlink()
        raise Problem(f"{path} changes meanwhile: stop its Redis first.")
    beside.damaged.hardlink_to(path)
    sync(path.parent)
    new.replace(path)
    sync(path.parent)
    return beside


def _copy(buffer: Buffer, first: int, end: int, to: BinaryIO) -> None:
    for at in range(first, end, _PIECE):
        to.write(buffer[at : min(end, at + _PIECE)])


def _give(file: int, like: os.stat_result) -> None:
    os.fchmod(file, like.st_mode & 0o777)
    if (like.st_uid, like.st_gid) != (os.getuid(), os.getgid()):
        os.fchown(file, like.st_uid, like.st_gid)
