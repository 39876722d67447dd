"""What stands in front: Caddy or nginx, for an edge and for the core."""

from infrastructure.manifest import Manifest
from infrastructure.render.heading import heading

_SOCKET = "/live/socket"
"""Where the proxy puts the gateway: `/live` itself is a page of the dashboard."""

_EDGE = (
    "In front of an edge. On it set MILLRACE_EDGE_TRUSTED_PROXIES=127.0.0.1/32,::1/128, or every",
    "visitor comes from this proxy's address; `millrace ip explain` says what is believed and why.",
)
_CORE = (
    "In front of the dashboard and the live gateway. On the core set",
    "  MILLRACE_API_URL=https://stats.example.com",
    f"  MILLRACE_LIVE_URL=wss://stats.example.com{_SOCKET}",
    "  MILLRACE_EDGE_URL=https://edge.example.com",
)
_NO_LOG = (
    "No access log, and no line about a beacon that met no edge (a restart, an update): they would",
    "hold the addresses that Millrace takes care not to store. `millrace status` says what is up.",
)
_CERTBOT = "Plain HTTP, as it comes: `certbot --nginx` adds the certificate and the redirection."


def edge_caddy(manifest: Manifest) -> str:
    """Caddy drops what a client itself wrote into X-Forwarded-For, and writes down the request of
    an error that nobody handles."""
    return heading(*_EDGE, *_NO_LOG) + (
        "edge.example.com {\n"
        f"\treverse_proxy 127.0.0.1:{_port(manifest, 'edge')}\n"
        "\thandle_errors {\n"
        "\t\theader Retry-After 5\n"
        "\t\trespond {err.status_code}\n"
        "\t}\n"
        "}\n"
    )


def core_caddy(manifest: Manifest) -> str:
    return heading(*_CORE) + (
        "stats.example.com {\n"
        f"\thandle {_SOCKET} {{\n"
        "\t\trewrite * /live\n"
        f"\t\treverse_proxy 127.0.0.1:{_port(manifest, 'realtime')}\n"
        "\t}\n"
        "\thandle {\n"
        f"\t\treverse_proxy 127.0.0.1:{_port(manifest, 'api')}\n"
        "\t}\n"
        "}\n"
    )


def edge_nginx(manifest: Manifest) -> str:
    return (
        heading(*_EDGE, *_NO_LOG, _CERTBOT)
        + f"""\
upstream millrace_edge {{
    server 127.0.0.1:{_port(manifest, "edge")};
    keepalive 64;
}}

server {{
    listen 80;
    listen [::]:80;
    server_name edge.example.com;
    access_log off;
    error_log /dev/null crit;

    # The edge has limits of its own, and answers them as its clients expect.
    client_max_body_size 2m;
    # No beacon is written to a temporary file.
    client_body_buffer_size 1m;

    location / {{
        proxy_pass http://millrace_edge;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
    }}
}}
"""
    )


def core_nginx(manifest: Manifest) -> str:
    return (
        heading(*_CORE, _CERTBOT)
        + f"""\
server {{
    listen 80;
    listen [::]:80;
    server_name stats.example.com;

    location / {{
        proxy_pass http://127.0.0.1:{_port(manifest, "api")};
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
    }}

    location = {_SOCKET} {{
        # Its query string holds a ticket.
        access_log off;
        proxy_pass http://127.0.0.1:{_port(manifest, "realtime")}/live;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_set_header Host $host;
        proxy_read_timeout 1h;
    }}
}}
"""
    )


def _port(manifest: Manifest, name: str) -> int:
    return next(
        entry.port.number for entry in manifest.services if entry.name == name and entry.port
    )
