"""Compose files: the three servers alone, and each kind of host as a whole."""

from typing import Any

import yaml

from infrastructure.manifest import Manifest, Role, ServiceEntry
from infrastructure.render.env_file import env_path
from infrastructure.render.heading import heading

_REDIS_IMAGE = "redis:8"
# The Apache edition, which is all that Millrace needs.
_POSTGRES_IMAGE = "timescale/timescaledb:2.19.3-pg17-oss"
_POSTGRES_VARIABLES = {
    "POSTGRES_USER": "millrace",
    "POSTGRES_DB": "millrace",
    "POSTGRES_INITDB_ARGS": "--encoding=UTF8 --locale=C --locale-provider=builtin "
    "--builtin-locale=C.UTF-8",
    "TIMESCALEDB_TELEMETRY": "off",
}
_LEFT_TO_THE_DRAIN = "0"
_OPTIONAL = "${REDIS_PASSWORD:-millrace}"
_ASK_OFTEN = {"interval": "2s", "timeout": "5s", "retries": 30}


def servers(_: Manifest) -> str:
    """For a checkout on a machine that has no server programs of its own."""
    head = heading(
        "The three servers, for machines where `./run` can neither find nor fetch them. With",
        "Docker there, `./run up` and `./run demo` start them by themselves; to do it by hand:",
        "",
        "  docker compose -f infrastructure/compose/servers.yaml up -d --wait",
        "  export MILLRACE_PRIMARY_URL=redis://:millrace@127.0.0.1:16379/0",
        "  export MILLRACE_SPOOL_URL=redis://:millrace@127.0.0.1:16380/0",
        "  export MILLRACE_POSTGRES_URL=postgresql://millrace:millrace@127.0.0.1:15432/millrace",
        "  ./run up",
        "",
        "Reachable from this machine only; choose other passwords before that changes.",
        *_UNTRIED,
    )
    postgres = _postgres("${POSTGRES_PASSWORD:-millrace}", "127.0.0.1:${POSTGRES_PORT:-15432}:5432")
    services = {
        "primary": _redis(_OPTIONAL, "127.0.0.1:${PRIMARY_PORT:-16379}:6379", "primary", "0"),
        "spool": _redis(_OPTIONAL, "127.0.0.1:${SPOOL_PORT:-16380}:6379", "spool", "2gb"),
        "postgres": postgres,
    }
    return head + _yaml("millrace", services, ["primary", "spool", "postgres"])


def edge(manifest: Manifest) -> str:
    """An edge host: the spool beside the edge's services."""
    head = heading(
        "An edge host. Its settings stand in /etc/millrace/edge.env, as for systemd, with",
        "MILLRACE_SPOOL_URL=redis://:SPOOL_PASSWORD@127.0.0.1:6380/0. `./run wheel` first: the",
        "image installs what that builds.",
        "",
        "  SPOOL_PASSWORD=… docker compose -f infrastructure/compose/edge.yaml up -d --build",
        *_UNTRIED,
        *_HOST_NETWORK,
    )
    spool = _redis("${SPOOL_PASSWORD:?}", "127.0.0.1:6380:6379", "spool", _LEFT_TO_THE_DRAIN)
    services = {"spool": spool, **_services(manifest, "edge", {"spool": _healthy()})}
    return head + _yaml("millrace-edge", services, ["spool", "edge"])


def core(manifest: Manifest) -> str:
    """A core host: primary and database beside the core's services."""
    head = heading(
        "A core host. Its settings stand in /etc/millrace/core.env, as for systemd, with",
        "MILLRACE_PRIMARY_URL=redis://:PRIMARY_PASSWORD@127.0.0.1:6379/0 and",
        "MILLRACE_POSTGRES_URL=postgresql://millrace:POSTGRES_PASSWORD@127.0.0.1:5432/millrace.",
        "PRIMARY_ADDRESS is where edges reach the primary: an address of a private network or a",
        "tunnel, never a public one. `./run wheel` first: the image installs what that builds.",
        "",
        "  PRIMARY_PASSWORD=… POSTGRES_PASSWORD=… PRIMARY_ADDRESS=10.0.0.1 \\",
        "    docker compose -f infrastructure/compose/core.yaml up -d --build",
        *_UNTRIED,
        *_HOST_NETWORK,
    )
    primary = _redis("${PRIMARY_PASSWORD:?}", "127.0.0.1:6379:6379", "primary", "0")
    primary["ports"].append("${PRIMARY_ADDRESS:?}:6379:6379")
    postgres = _postgres("${POSTGRES_PASSWORD:?}", "127.0.0.1:5432:5432")
    migrate = {**_image("core"), "command": ["millrace", "migrate"], "restart": "on-failure"}
    before = {"primary": _healthy(), "migrate": {"condition": "service_completed_successfully"}}
    services = {
        "primary": primary,
        "postgres": postgres,
        "migrate": {**migrate, "depends_on": {"postgres": _healthy()}},
        **_services(manifest, "core", before),
    }
    return head + _yaml("millrace-core", services, ["primary", "postgres", "core"])


_UNTRIED = (
    "",
    "Untried with a Docker daemon; Docker Compose 2.26 reads it without complaint (`config`).",
)
_HOST_NETWORK = (
    "",
    "The services share the host's network, so that what listens on 127.0.0.1 is private, and the",
    "proxy in front sees, and hands on, each client's own address.",
)


def _services(manifest: Manifest, role: Role, after: dict[str, Any]) -> dict[str, Any]:
    return {
        entry.name: _service(entry, manifest, after)
        for entry in manifest.services
        if entry.role == role
    }


def _service(entry: ServiceEntry, manifest: Manifest, after: dict[str, Any]) -> dict[str, Any]:
    live = f"http://127.0.0.1:{entry.ops.number}{manifest.health.live}"
    ask = f"import urllib.request; urllib.request.urlopen('{live}', timeout=4)"
    return {
        **_image(entry.role),
        "command": list(entry.command),
        "healthcheck": {"test": ["CMD", "python", "-c", ask], "interval": "10s", "timeout": "5s"},
        "depends_on": after,
        "restart": "always",
        "stop_grace_period": "60s",
    }


def _image(role: Role) -> dict[str, Any]:
    return {
        "image": f"millrace-{role}",
        "build": {
            "context": "../..",
            "dockerfile": "infrastructure/compose/Dockerfile",
            "args": {"ROLE": role},
        },
        "network_mode": "host",
        "env_file": [env_path(role)],
        # Shared by the services of a host: the edge's boot files, or the core's geo files.
        "volumes": [f"{role}:/var/lib/millrace"],
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }


def _redis(password: str, port: str, volume: str, most: str) -> dict[str, Any]:
    """`most`: what it may hold, `0` without a bound; what is over it is refused, never evicted."""
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    bounds = ["--maxmemory", most, "--maxmemory-policy", "noeviction"]
    # A damaged command in the file stops it: `millrace spool repair` saves what follows.
    honest = ["--propagation-error-behavior", "panic"]
    return {
        "image": _REDIS_IMAGE,
        "command": ["redis-server", "--requirepass", password, *durable, *bounds, *honest],
        "ports": [port],
        "volumes": [f"{volume}:/data"],
        "healthcheck": {
            # Also before it has read its file, `redis-cli` exits with 0: look at the answer.
            "test": ["CMD-SHELL", f"redis-cli --no-auth-warning -a '{password}' ping | grep PONG"],
            **_ASK_OFTEN,
        },
        "restart": "unless-stopped",
    }


def _postgres(password: str, port: str) -> dict[str, Any]:
    return {
        "image": _POSTGRES_IMAGE,
        "environment": {**_POSTGRES_VARIABLES, "POSTGRES_PASSWORD": password},
        "ports": [port],
        "volumes": ["postgres:/var/lib/postgresql/data"],
        "healthcheck": {
            # By TCP: while it sets itself up, it listens on its socket alone.
            "test": ["CMD-SHELL", "pg_isready -h 127.0.0.1 -U millrace -d millrace"],
            **_ASK_OFTEN,
        },
        "restart": "unless-stopped",
        "shm_size": "256mb",
    }


def _healthy() -> dict[str, str]:
    return {"condition": "service_healthy"}


def _yaml(name: str, services: dict[str, Any], volumes: list[str]) -> str:
    whole = {"name": name, "services": services, "volumes": {volume: {} for volume in volumes}}
    return yaml.dump(whole, Dumper=_Plain, sort_keys=False, width=100, default_flow_style=None)


class _Plain(yaml.SafeDumper):
    """Writes out what two services share, in place of anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
