"""The tracker and the dashboard, built when their sources have changed, kept by their hash."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from infrastructure.local.cache import cached, locked
from infrastructure.local.folders import CHECKOUT, cache_folder
from infrastructure.local.node import find_node

FRONT_ENDS = (CHECKOUT / "edge" / "tracker", CHECKOUT / "api" / "dashboard")
_NOT_SOURCE = {"node_modules", "dist"}
_STAMP = ".built-from"


def build_front_ends() -> None:
    """Bring every front end's `dist` up to date. What another clone has built is copied."""
    for folder in FRONT_ENDS:
        _build(folder)


def check_front_ends() -> None:
    """Types, and whatever else a front end's own `npm run check` looks at."""
    for folder in FRONT_ENDS:
        _install(folder)
        find_node().run(f"Checking {_name(folder)}", ["run", "check"], folder)


def _build(folder: Path) -> None:
    digest = _digest(_sources(folder))
    stamp = folder / "dist" / _STAMP
    if stamp.is_file() and stamp.read_text() == digest:
        return
    built = cached(f"front-end-{folder.name}-{digest}", lambda made, _: _make(folder, made))
    shutil.rmtree(folder / "dist", ignore_errors=True)
    shutil.copytree(built / "dist", folder / "dist")
    stamp.write_text(digest)


def _make(folder: Path, made: Path) -> None:
    _install(folder)
    shutil.rmtree(folder / "dist", ignore_errors=True)
    find_node().run(f"Building {_name(folder)}", ["run", "build"], folder)
    shutil.copytree(folder / "dist", made / "dist")


def _install(folder: Path) -> None:
    """`npm ci`, once a lock file."""
    modules = folder / "node_modules"
    stamp = modules / ".installed-from"
    digest = _digest([folder / "package-lock.json"])
    with locked(cache_folder() / f"npm-{_digest([folder / 'package.json'])}.lock"):
        if not stamp.is_file() or stamp.read_text() != digest:
            title = f"Fetching what {_name(folder)} is built with"
            find_node().run(title, ["ci", "--no-audit", "--no-fund"], folder)
            modules.mkdir(exist_ok=True)
            stamp.write_text(digest)


def _name(folder: Path) -> str:
    return f"the {folder.name}"


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _NOT_SOURCE:
            continue
        yield from (each for each in sorted(path.rglob("*")) if each.is_file())
        if path.is_file():
            yield path


def _digest(files: Iterator[Path] | list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
