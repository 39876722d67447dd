"""What the demo fetches and keeps, said before it does."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from infrastructure.local.folders import cache_folder
from infrastructure.local.geo import CACHED


class Part(NamedTuple):
    """``files``: how its folders in the cache are called. Sizes in MB, as last measured."""

    what: str
    files: str
    download_mb: int
    disk_mb: int


PARTS = (
    Part("PostgreSQL 17 with TimescaleDB, and Redis 8", "servers-*", 60, 190),
    Part("what the tracker is built with", "front-end-tracker-*", 18, 1),
    Part("what the live page is built with", "front-end-dashboard-*", 24, 1),
    Part("files that tell an address's country and city", CACHED, 73, 150),
)
NODE = Part("Node, since this machine has none", "", 61, 190)


def say_plan(console: Console, state: Path) -> None:
    """Print what is missing and will be fetched, and where everything is kept."""
    cache = cache_folder()
    missing = [part for part in PARTS if not _there(cache, part.files)]
    if missing and not shutil.which("npm"):
        missing.append(NODE)
    for line in _missing_lines(missing, cache):
        console.print(line)
    console.print(f"The demo's database, logs and secrets: {state} (some 100 MB to begin with).")
    console.print("Nothing of the system is changed; deleting these folders undoes everything.")


def _missing_lines(missing: list[Part], cache: Path) -> Iterator[str]:
    if not missing:
        yield f"Nothing has to be downloaded: everything is in {cache}."
        return
    yield (
        f"To be downloaded, once: {sum(part.download_mb for part in missing)} MB, kept in {cache} "
        f"({sum(part.disk_mb for part in missing)} MB):"
    )
    for part in missing:
        yield f"  {part.what}: {part.download_mb} MB"


def _there(cache: Path, files: str) -> bool:
    return any(found.is_dir() and ".part-" not in found.name for found in cache.glob(files))
