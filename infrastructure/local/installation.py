"""What a local installation keeps between runs: its passwords, its keys and its ports."""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import field
from pathlib import Path

import msgspec

from infrastructure.local.folders import make_folder
from infrastructure.local.ports import Wanted, check_free, free_ports, read_port
from infrastructure.local.stack import StackPlan, fresh_plan
from infrastructure.manifest import Manifest
from shared.keys import new_seal_key, new_signing_key, public_seal_key, public_signing_key

EDGE = "local"
_FILE = "installation.json"


class Installation(msgspec.Struct, frozen=True):
    """`ports`: setting → number, for every port in the manifest. Holds secrets: file mode 0600."""

    stack: StackPlan
    seal_key: str
    signing_key: str
    owner_password: str
    ports: dict[str, int] = field(default_factory=dict)

    def settings(self) -> dict[str, str]:
        """The settings that come from here: keys, ports and the addresses they make."""
        named = {name: str(number) for name, number in self.ports.items()}
        return {
            **named,
            "MILLRACE_EDGE_NAME": EDGE,
            "MILLRACE_SEAL_KEYS": self.seal_key,
            "MILLRACE_SEAL_PUBLIC_KEY": public_seal_key(self.seal_key),
            "MILLRACE_SIGNING_KEY": self.signing_key,
            "MILLRACE_CORE_VERIFY_KEY": public_signing_key(self.signing_key),
            "MILLRACE_API_URL": f"http://127.0.0.1:{named['MILLRACE_API_PORT']}",
            "MILLRACE_LIVE_URL": f"ws://127.0.0.1:{named['MILLRACE_REALTIME_PORT']}/live",
            "MILLRACE_EDGE_URL": f"http://127.0.0.1:{named['MILLRACE_EDGE_PORT']}",
        }


def new_installation(ports: dict[str, int]) -> Installation:
    return Installation(
        stack=fresh_plan(),
        seal_key=new_seal_key(),
        signing_key=new_signing_key(),
        owner_password=secrets.token_urlsafe(12),
        ports=ports,
    )


def standard_ports(manifest: Manifest) -> dict[str, int]:
    return {port.setting: port.number for port in manifest.ports}


def chosen_ports(manifest: Manifest, beside: Collection[int] = ()) -> dict[str, int]:
    """Free ports in place of the standard ones, none of those `beside`."""
    settings = [port.setting for port in manifest.ports]
    return dict(zip(settings, free_ports(len(settings), beside), strict=True))


def read_installation(folder: Path) -> Installation | None:
    path = folder / _FILE
    return msgspec.json.decode(path.read_bytes(), type=Installation) if path.exists() else None


def open_installation(
    folder: Path, manifest: Manifest, environment: Mapping[str, str], *, free: bool = False
) -> Installation:
    """What was kept in `folder`, or a new one, kept from now on; its ports are free now.

    Ports that `environment` names stand; `free`: the others are of our own choosing. The servers'
    ports are always chosen, and chosen anew when another program has taken one in the meantime.
    Raises Problem for a port that is taken or is none.
    """
    kept = read_installation(folder) or new_installation({})
    given = _given_ports(manifest, environment)
    others = chosen_ports(manifest, given.values()) if free else standard_ports(manifest)
    ports = {**others, **given}
    check_free(
        [
            Wanted(number, _owner(manifest, setting), setting, is_given=setting in given)
            for setting, number in ports.items()
        ]
    )
    stack = kept.stack.with_free_ports(ports.values())
    current = msgspec.structs.replace(kept, ports=ports, stack=stack)
    _write(folder, current)
    return current


def _given_ports(manifest: Manifest, environment: Mapping[str, str]) -> dict[str, int]:
    names = [port.setting for port in manifest.ports if port.setting in environment]
    return {name: read_port(name, environment[name]) for name in names}


def _owner(manifest: Manifest, setting: str) -> str:
    names = [each.name for each in manifest.services if setting in {p.setting for p in each.ports}]
    return f"the {names[0]} ({setting})"


def _write(folder: Path, installation: Installation) -> None:
    make_folder(folder, 0o755)
    temporary = folder / f"{_FILE}.new"
    temporary.touch(0o600)
    temporary.write_bytes(msgspec.json.encode(installation))
    temporary.rename(folder / _FILE)
