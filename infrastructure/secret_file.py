"""Files that hold secrets: written whole or not at all, readable by their owner alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

from infrastructure.problem import Problem
from shared.durable import sync


def put_secret(path: Path, text: str) -> None:
    """Write `path` in one step, on the disk when this returns; an earlier file's owner stays."""
    # Of mode 0600, and of a name that nobody else writes to at the same time.
    descriptor, temporary = mkstemp(prefix=f"{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            if path.exists():
                _give_to_owner_of(path, descriptor)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).rename(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync(path.parent)


@contextmanager
def locked_secret(path: Path) -> Iterator[None]:
    """Nobody else changes what `path` holds within the block. Raises OSError."""
    with _locked(path):
        yield


def _locked(path: Path) -> BinaryIO:
    """The file itself, so that no other file stays behind: again where it was replaced while this
    waited for it. To close it is to give it free."""
    while True:
        file = path.open("rb")
        try:
            flock(file, LOCK_EX)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def put_new_secret(path: Path, text: str) -> None:
    """As `put_secret`, where nothing is yet. Raises Problem."""
    if path.exists():
        raise Problem(f"{path} exists already: name another file, or remove it first.")
    put_secret(path, text)


def _give_to_owner_of(path: Path, descriptor: int) -> None:
    found = path.stat()
    if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, found.st_uid, found.st_gid)
