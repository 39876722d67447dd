"""Files that hold secrets: written whole or not at all, readable by their owner alone."""

import os
from contextlib import suppress
from pathlib import Path

from infrastructure.problem import Problem


def put_secret(path: Path, text: str) -> None:
    """Write `path` in one step, on the disk when this returns; an earlier file's owner stays."""
    temporary = path.with_name(f"{path.name}.new")
    with suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if path.exists():
            _give_to_owner_of(path, descriptor)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    temporary.rename(path)
    _sync_folder(path.parent)


def put_new_secret(path: Path, text: str) -> None:
    """As `put_secret`, where nothing is yet. Raises Problem."""
    if path.exists():
        raise Problem(f"{path} exists already: name another file, or remove it first.")
    put_secret(path, text)


def _give_to_owner_of(path: Path, descriptor: int) -> None:
    found = path.stat()
    if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, found.st_uid, found.st_gid)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
