"""`app.manifest.yaml`, typed: which services there are, where they run and what they need."""

from pathlib import Path
from typing import Literal

import msgspec
import yaml

from shared import settings
from shared.settings import variables

_NAME = "app.manifest.yaml"
_INSTALLED = Path(__file__).with_name(_NAME)
"""Where the wheel puts it; a checkout has it at its root."""
MANIFEST = _INSTALLED if _INSTALLED.exists() else Path(__file__).resolve().parents[1] / _NAME

Role = Literal["edge", "core"]
Need = Literal["primary", "spool", "postgres"]


class ManifestPort(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A port's default number, and the setting that changes it."""

    setting: str
    number: int


class ServiceEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One service. `settings` names a group in shared/settings.py."""

    name: str
    role: Role
    command: tuple[str, ...]
    ops: ManifestPort
    needs: tuple[Need, ...]
    settings: str
    port: ManifestPort | None = None

    @property
    def settings_group(self) -> type[msgspec.Struct]:
        found: type[msgspec.Struct] = getattr(settings, self.settings)
        return found

    @property
    def reads(self) -> frozenset[str]:
        """The environment variables that the service reads."""
        fields = self.settings_group.__struct_fields__
        return frozenset(name for field in fields for name in variables(field))

    @property
    def ports(self) -> tuple[ManifestPort, ...]:
        return (self.port, self.ops) if self.port else (self.ops,)


class Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Paths on every ops port."""

    live: str
    ready: str
    metrics: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All services, in the order in which they are started."""

    health: Health
    services: tuple[ServiceEntry, ...]

    @property
    def ports(self) -> tuple[ManifestPort, ...]:
        return tuple(port for service in self.services for port in service.ports)


def read_manifest(path: Path = MANIFEST) -> Manifest:
    """Raises msgspec.ValidationError naming the faulty entry."""
    return msgspec.convert(yaml.safe_load(path.read_text()), Manifest)
