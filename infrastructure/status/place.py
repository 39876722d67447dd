"""Where a status is asked for: what runs from this checkout, or an installed edge or core."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infrastructure.local.folders import state_folder
from infrastructure.local.running import PURPOSES, read_running
from infrastructure.manifest import Manifest, ServiceEntry
from shared.program import PROGRAM
from shared.settings import read_setting

INSTALLED = "installed"
_SERVERS = {"primary": "primary_url", "spool": "spool_url", "database": "postgres_url"}
_MARKS = {"edge": ("spool_url",), "core": ("postgres_url", "signing_key", "seal_keys")}
"""A setting that only hosts of a role have."""


@dataclass(frozen=True)
class Place:
    """``name`` is `up`, `demo` or `installed`; ``folder`` holds the data of the first two, and
    ``units`` those that systemd runs on an installed host."""

    name: str
    settings: Mapping[str, str] = field(repr=False)
    folder: Path | None = None
    units: Path = Path("/etc/systemd/system")

    def port(self, setting: str, standard: int) -> int:
        text = self.settings.get(setting, "")
        return int(text) if text.isascii() and text.isdigit() else standard

    @property
    def ops_host(self) -> str:
        host = self.settings.get("MILLRACE_OPS_HOST", "127.0.0.1")
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104

    @property
    def server_urls(self) -> dict[str, str]:
        """Those of the three servers that the settings name."""
        urls = {name: self._read(field) for name, field in _SERVERS.items()}
        return {name: url for name, url in urls.items() if url}

    def expects(self, entry: ServiceEntry) -> bool:
        """Whether the settings say that this service belongs here."""
        if self.folder is not None:
            return True
        return any(self._read(field) for field in _MARKS[entry.role])

    def number(self, field: str, standard: float) -> float:
        try:
            return float(self._read(field) or standard)
        except ValueError:
            return standard

    def is_ours(self, server: str) -> bool:
        """Whether this checkout has started that server itself."""
        if self.folder is None:
            return False
        folder = {"database": "postgres"}.get(server, server)
        return (self.folder / folder).is_dir() and "127.0.0.1" in self.server_urls[server]

    def verb(self, words: str) -> str:
        """A verb as it is typed here."""
        return f"{PROGRAM} {words}"

    def look(self, name: str) -> str:
        """What shows the log of a service, or of a server of this checkout's own."""
        if self.folder is not None:
            return self.verb(f"logs {name}" + ("" if self.name == PURPOSES[0] else " --of demo"))
        if self._has_unit(name):
            return f"journalctl -u millrace-{name} -n 50"
        return f"look into the log of the {name} (it goes to its standard error)"

    def start(self, name: str, command: tuple[str, ...]) -> str:
        """What starts a service that ended or hangs."""
        if self.folder is not None:
            return self.look(name)
        if self._has_unit(name):
            return f"systemctl restart millrace-{name}; {self.look(name)}"
        return f"start it: {' '.join(command)}"

    def _has_unit(self, name: str) -> bool:
        return (self.units / f"millrace-{name}.service").exists()

    def _read(self, field: str) -> str:
        try:
            return read_setting(field, self.settings) or ""
        except OSError:
            return ""


def running_places() -> list[Place]:
    """What runs from this checkout."""
    found = []
    for purpose in PURPOSES:
        folder = state_folder(purpose)
        settings = read_running(folder)
        if settings:
            found.append(Place(purpose, {**os.environ, **settings}, folder))
    return found


def installed_place(manifest: Manifest) -> Place | None:
    """By the environment; None where that names no role in a checkout."""
    place = Place(INSTALLED, dict(os.environ))
    known = any(place.expects(entry) for entry in manifest.services)
    return place if known or PROGRAM == "millrace" else None
