"""One systemd unit a service."""

from pathlib import PurePosixPath

from infrastructure.manifest import Manifest, ServiceEntry
from infrastructure.render.env_file import env_path
from infrastructure.render.heading import heading

_PYTHON = PurePosixPath("/opt/millrace/bin/python")

_UNIT = """\
[Unit]
Description=Millrace: {name}
Wants=network-online.target
After=network-online.target {after}
# Whatever is away comes back some day: never give up.
StartLimitIntervalSec=0

[Service]
User=millrace
Group=millrace
EnvironmentFile={env}
WorkingDirectory=/var/lib/millrace
ExecStart={command}
Restart=always
RestartSec=1
TimeoutStopSec=60
StateDirectory={state}
StateDirectoryMode=0750
UMask=0077
LimitNOFILE=65536
NoNewPrivileges=true
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=true
ProtectClock=true
ProtectControlGroups=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
PrivateDevices=true
PrivateTmp=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
LockPersonality=true
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
"""

_STATE = {
    "edge": "millrace millrace/edge",
    "core": "millrace millrace/geo millrace/archive",
}
_AFTER = {"postgres": "postgresql.service", "primary": "redis-server.service"}


def unit(entry: ServiceEntry, manifest: Manifest) -> str:
    """The unit of one service: an unprivileged user, restarted for ever, its settings in a file."""
    ready = f"http://127.0.0.1:{entry.ops.number}{manifest.health.ready}"
    head = heading(f"Whether it can work: curl {ready}")
    _, *arguments = entry.command
    return head + _UNIT.format(
        name=entry.name,
        after=" ".join(_local_servers(entry)),
        env=env_path(entry.role),
        command=" ".join([str(_PYTHON), "-P", *arguments]),
        state=_STATE[entry.role],
    )


def _local_servers(entry: ServiceEntry) -> list[str]:
    """Those that may run on the same host; where they do not, systemd passes over the names."""
    servers = [_AFTER.get(need, "redis-server.service") for need in entry.needs]
    return sorted(set(servers))
