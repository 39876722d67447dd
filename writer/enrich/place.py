"""Country, region and city of a client address, by mmdb files that may be missing."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import maxminddb

from writer.draft import Draft, Place
from writer.enrich.remembered import Remembered

FILES = ("city.mmdb", "city-ipv4.mmdb", "city-ipv6.mmdb", "country.mmdb")
"""In the order they are asked; ``city.mmdb`` is for an operator's own file, such as MaxMind's."""
_NOWHERE = Place()


class Geo:
    """The files of a folder; the first that knows an address's country wins.

    Records may be flat (``country_code``, ``state1``, ``city``) or nested as MaxMind's are.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = tuple(folder / name for name in FILES)
        self._stamps: tuple[tuple[int, int] | None, ...] = ()
        self._readers: list[maxminddb.Reader] = []
        self._find = Remembered(self._look_up, 100_000)
        self.reload()

    def reload(self) -> None:
        """Open the files anew if they have changed; a missing or broken one counts as empty."""
        stamps = tuple(map(_stamp, self._paths))
        if stamps == self._stamps:
            return
        self._stamps = stamps
        self._readers = [reader for reader in map(_open, self._paths) if reader is not None]
        self._find.clear()

    def find(self, ip: str) -> Place:
        """The place of an address, as far as it is known."""
        return self._find[ip] if ip and self._readers else _NOWHERE

    def locate(self, drafts: Sequence[Draft]) -> None:
        """Add the place of the client's address."""
        if self._readers:
            for draft in drafts:
                draft.place = self._find[draft.ip] if draft.ip else _NOWHERE

    def _look_up(self, ip: str) -> Place:
        places = (read_place(_record(reader, ip)) for reader in self._readers)
        return next((place for place in places if place.country), _NOWHERE)


def read_place(record: Mapping[str, Any]) -> Place:
    """The place in a record, flat or nested."""
    if "country_code" in record:
        return Place(
            str(record["country_code"] or ""),
            str(record.get("state1") or ""),
            str(record.get("city") or ""),
        )
    country = record.get("country") or record.get("registered_country") or {}
    regions = record.get("subdivisions") or [{}]
    return Place(
        country.get("iso_code", "") if isinstance(country, Mapping) else "",
        _english(regions[0]),
        _english(record.get("city")),
    )


def _english(named: Any) -> str:
    return str(named.get("names", {}).get("en", "")) if isinstance(named, Mapping) else ""


def _record(reader: maxminddb.Reader, ip: str) -> Mapping[str, Any]:
    try:
        record = reader.get(ip)
    except (ValueError, maxminddb.InvalidDatabaseError):
        return {}
    return record if isinstance(record, dict) else {}


def _open(path: Path) -> maxminddb.Reader | None:
    try:
        return maxminddb.open_database(os.fspath(path))
    except (OSError, ValueError, maxminddb.InvalidDatabaseError):
        return None


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
