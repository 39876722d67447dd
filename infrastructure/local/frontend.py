"""The tracker and the dashboard, built when their sources have changed, kept by their hash."""

import shutil
from pathlib import Path

from infrastructure.local.cache import cached, locked
from infrastructure.local.folders import CHECKOUT, cache_folder, checkout_digest, make_folder
from infrastructure.local.front_end_sources import PLACES, digest_of, is_built, sources, stamp
from infrastructure.local.node import find_node

FRONT_ENDS = tuple(CHECKOUT / place for place in PLACES)


def build_front_ends() -> None:
    """Bring every front end's `dist` up to date. What another clone has built is copied."""
    for folder in FRONT_ENDS:
        _build(folder)


def check_front_ends() -> None:
    """Types, and whatever else a front end's own `npm run check` looks at."""
    for folder in FRONT_ENDS:
        fetch_packages(folder)
        find_node().run(f"Checking {_name(folder)}", ["run", "check"], folder)


def _build(folder: Path) -> None:
    if is_built(folder):
        return
    # Two runs of one checkout would copy into the same folder.
    with locked(make_folder(cache_folder()) / f"dist-{checkout_digest()}-{folder.name}.lock"):
        if not is_built(folder):
            _put_built(folder)


def _put_built(folder: Path) -> None:
    digest = digest_of(sources(folder))
    built = cached(f"front-end-{folder.name}-{digest}", lambda made, _: _make(folder, made))
    shutil.rmtree(folder / "dist", ignore_errors=True)
    shutil.copytree(built / "dist", folder / "dist")
    stamp(folder).write_text(digest)


def _make(folder: Path, made: Path) -> None:
    fetch_packages(folder)
    shutil.rmtree(folder / "dist", ignore_errors=True)
    find_node().run(f"Building {_name(folder)}", ["run", "build"], folder)
    shutil.copytree(folder / "dist", made / "dist")


def fetch_packages(folder: Path) -> None:
    """Bring `node_modules` up to date: `npm ci`, once a lock file."""
    modules = folder / "node_modules"
    installed = modules / ".installed-from"
    digest = digest_of([folder / "package-lock.json"])
    with locked(cache_folder() / f"npm-{digest_of([folder / 'package.json'])}.lock"):
        if not installed.is_file() or installed.read_text() != digest:
            title = f"Fetching what {_name(folder)} is built with"
            find_node().run(title, ["ci", "--no-audit", "--no-fund"], folder)
            modules.mkdir(exist_ok=True)
            installed.write_text(digest)


def _name(folder: Path) -> str:
    return f"the {folder.name}"
