"""Files that are on the disk for good before anybody is told of them."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from shared.durable import sync
from writer.archive.engine import SCRATCH

OLD_AFTER_S = 3_600.0
"""A reader may still be at a version that another has taken the place of."""


def put_durably(made: Path, target: Path) -> None:
    """Give a finished file its name, which nothing may have yet: fsynced, with its folders.
    Raises OSError."""
    _make_folders(target.parent)
    sync(made)
    # Unlike a rename, a link never takes the place of a file.
    os.link(made, target)
    sync(target.parent)
    made.unlink()


def digest_of(file: Path) -> bytes:
    """SHA-256. Raises OSError."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def versions(folder: Path) -> list[int]:
    """Of the files that stand in a day's folder."""
    return [int(file.stem) for file in folder.glob("*.parquet") if file.stem.isdecimal()]


def sweep(folder: Path, is_kept: Callable[[str], bool], now_s: float | None = None) -> int:
    """Delete what no record names and no reader can still be at; returns how many files went.
    Only where nobody else writes."""
    limit = (time.time() if now_s is None else now_s) - OLD_AFTER_S
    gone = 0
    for file in _old_files(folder.glob("site=*/day=*/*"), limit):
        if not is_kept(str(file.relative_to(folder))):
            file.unlink(missing_ok=True)
            gone += 1
    for scratch in folder.glob(f"{SCRATCH}*"):
        for file in _old_files(scratch.rglob("*"), limit):
            file.unlink(missing_ok=True)
            gone += 1
        _drop_if_empty([*scratch.rglob("*"), scratch])
    _drop_if_empty([*folder.glob("site=*/day=*"), *folder.glob("site=*")])
    return gone


def _old_files(found: Iterable[Path], limit: float) -> list[Path]:
    return [file for file in found if file.is_file() and file.stat().st_mtime < limit]


def _drop_if_empty(folders: Iterable[Path]) -> None:
    for folder in sorted(folders, key=lambda each: -len(each.parts)):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _make_folders(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(mode=0o750, exist_ok=True)
    sync(folder.parent)
