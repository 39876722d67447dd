"""Every file that is rendered from app.manifest.yaml: the contents page."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from infrastructure.manifest import Manifest, Role
from infrastructure.render import compose, proxies
from infrastructure.render.env_file import env_file
from infrastructure.render.systemd import unit

INFRASTRUCTURE = Path(__file__).resolve().parents[1]

_FILES: dict[str, Callable[[Manifest], str]] = {
    "compose/servers.yaml": compose.servers,
    "compose/edge.yaml": compose.edge,
    "compose/core.yaml": compose.core,
    "proxy/edge.caddy": proxies.edge_caddy,
    "proxy/core.caddy": proxies.core_caddy,
    "proxy/edge.nginx.conf": proxies.edge_nginx,
    "proxy/core.nginx.conf": proxies.core_nginx,
}


def rendered(manifest: Manifest) -> dict[Path, str]:
    """Path below `infrastructure/` → text."""
    units = {
        Path(f"systemd/millrace-{entry.name}.service"): unit(entry, manifest)
        for entry in manifest.services
    }
    settings = {Path(f"systemd/{role}.env"): env_file(manifest, role) for role in get_args(Role)}
    others = {Path(name): render(manifest) for name, render in _FILES.items()}
    return {**units, **settings, **others}


def stale(manifest: Manifest) -> list[Path]:
    """What does not stand in the checkout as it would be rendered, in the order of paths; also a
    unit of a service that is no more."""
    wanted = rendered(manifest)
    differing = [path for path, text in wanted.items() if _read(path) != text]
    units = (path.relative_to(INFRASTRUCTURE) for path in INFRASTRUCTURE.glob("systemd/*.service"))
    return sorted([*differing, *(path for path in units if path not in wanted)])


def _read(path: Path) -> str | None:
    file = INFRASTRUCTURE / path
    return file.read_text() if file.is_file() else None
