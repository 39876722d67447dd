"""What a front end is built from, and whether what stands in its `dist` was built from that.

Only the standard library may be imported here: the build of a wheel asks too.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

PLACES = ("edge/tracker", "api/dashboard")
_NOT_SOURCE = {"node_modules", "dist"}
_STAMP = ".built-from"


def stamp(folder: Path) -> Path:
    """The file in `dist` that holds the digest of the sources."""
    return folder / "dist" / _STAMP


def is_built(folder: Path) -> bool:
    """Whether `dist` is there and of these very sources."""
    written = stamp(folder)
    return written.is_file() and written.read_text() == digest_of(sources(folder))


def sources(folder: Path) -> Iterator[Path]:
    """Every file but what is fetched or built."""
    for path in sorted(folder.iterdir()):
        if path.name in _NOT_SOURCE:
            continue
        yield from (each for each in sorted(path.rglob("*")) if each.is_file())
        if path.is_file():
            yield path


def digest_of(files: Iterable[Path]) -> str:
    """Of names and contents."""
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
