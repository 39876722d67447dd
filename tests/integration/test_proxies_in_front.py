"""The rendered proxy files, before a running edge and core: whose address counts, and what is
passed on."""

import http.client
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from websockets.sync.client import connect
from websockets.typing import Origin

from infrastructure.cli import cli
from infrastructure.local.ports import free_ports
from infrastructure.local.product import Product
from infrastructure.manifest import Manifest, read_manifest
from infrastructure.render.files import rendered
from tests.proxy_programs import caddy, nginx

SITE = "example.com"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_WITHIN_S = 60.0

Proxy = Callable[[str, Path, int], AbstractContextManager[None]]
PROXIES = pytest.mark.parametrize(
    ("proxy", "ending"), [(nginx, "nginx.conf"), (caddy, "caddy")], ids=["nginx", "caddy"]
)


@PROXIES
def test_the_edge_believes_the_proxy_and_not_what_a_client_wrote_itself(
    proxy: Proxy, ending: str, millrace: Product, tmp_path: Path
) -> None:
    _verb(millrace, "site", "add", SITE, "--time-zone", "UTC", "--no-wait")
    _verb(millrace, "site", "set", SITE, "excluded=127.0.0.2/32")
    (port,) = free_ports(1)
    with proxy(_file(millrace, f"proxy/edge.{ending}"), tmp_path, port):
        _wait_until(lambda: _beacon(port, "127.0.0.2")[1] == "excluded")
        assert _beacon(port, "127.0.0.2", forged="203.0.113.9") == (202, "excluded")
        assert _beacon(port, "127.0.0.3", forged="127.0.0.2") == (202, None)
        # The edge's own limits, and the headers that the tracker reads, come through.
        assert _request(port, "POST", "/track", body=b"[" + b" " * 1_100_000 + b"]")[0] == 413
        status, headers, body = _request(port, "POST", "/track", body=b"{}")
        assert status == 400
        assert json.loads(body)["error"]["code"]
        assert "x-millrace-dropped" in headers["access-control-expose-headers"]
        assert _request(port, "GET", "/t.js")[0] == 200
    assert "127.0.0.2" not in _access_log(tmp_path)


@PROXIES
def test_a_beacon_that_meets_no_edge_leaves_nothing_of_its_visitor_in_the_proxys_logs(
    proxy: Proxy, ending: str, tmp_path: Path
) -> None:
    nobody, port = free_ports(2)
    text = rendered(_with_ports(read_manifest(), {"MILLRACE_EDGE_PORT": str(nobody)}))[
        Path(f"proxy/edge.{ending}")
    ]
    with proxy(text, tmp_path, port):
        status, _, _ = _request(
            port,
            "GET",
            "/pixel.gif?url=https%3A%2F%2Fexample.com%2Fsecret-page",
            headers={"Referer": "https://example.com/secret-page"},
            client="127.0.0.2",
        )
        assert status == 502
    logged = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    for personal in ("127.0.0.2", "secret-page", "Firefox"):
        assert personal not in logged


@PROXIES
def test_pages_api_and_live_frames_come_by_one_name(
    proxy: Proxy, ending: str, millrace: Product, tmp_path: Path
) -> None:
    _verb(millrace, "site", "add", SITE, "--time-zone", "UTC", "--no-wait")
    key = _verb(millrace, "key", "add", "--scope", "query", "--json")
    (port,) = free_ports(1)
    with proxy(_file(millrace, f"proxy/core.{ending}"), tmp_path, port):
        assert _request(port, "GET", "/live")[1]["content-type"].startswith("text/html")
        status, _, body = _request(
            port,
            "POST",
            "/api/live/ticket",
            body=json.dumps({"site": SITE}).encode(),
            headers={"Authorization": f"Bearer {json.loads(key)['key']}"},
        )
        assert status in (200, 201)
        query = json.loads(body)["url"].partition("?")[2]
        address = f"ws://127.0.0.1:{port}/live/socket?{query}"
        with connect(address, origin=Origin(millrace.api_url), open_timeout=_WITHIN_S) as socket:
            assert json.loads(socket.recv(timeout=_WITHIN_S))["type"] == "snapshot"
    assert "ticket=" not in _access_log(tmp_path)


def _file(millrace: Product, name: str) -> str:
    """A rendered file, for the ports that the product has here."""
    manifest = read_manifest()
    return rendered(_with_ports(manifest, millrace.settings))[Path(name)]


def _with_ports(manifest: Manifest, settings: Mapping[str, str]) -> Manifest:
    """With the ports of the services that ``settings`` name."""
    replace = msgspec.structs.replace
    services = tuple(
        replace(entry, port=replace(entry.port, number=int(settings[entry.port.setting])))
        if entry.port and entry.port.setting in settings
        else entry
        for entry in manifest.services
    )
    return replace(manifest, services=services)


def _beacon(port: int, client: str, forged: str | None = None) -> tuple[int, str | None]:
    """(status, why it was dropped) of a beacon that comes from the address `client`."""
    headers = {"X-Forwarded-For": forged} if forged else {}
    event = {"site": SITE, "url": f"https://{SITE}/"}
    status, answer, _ = _request(
        port, "POST", "/track", body=json.dumps(event).encode(), headers=headers, client=client
    )
    return status, answer.get("x-millrace-dropped")


def _request(
    port: int,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    client: str = "127.0.0.1",
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=_WITHIN_S, source_address=(client, 0)
    )
    sent = {"Content-Type": "application/json", "User-Agent": BROWSER, **(headers or {})}
    try:
        connection.request(method, path, body=body, headers=sent)
        answer = connection.getresponse()
        return (
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            answer.read(),
        )
    finally:
        connection.close()


def _verb(millrace: Product, *words: str) -> str:
    ran = CliRunner().invoke(cli, list(words), env=dict(millrace.settings))
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def _access_log(folder: Path) -> str:
    """What nginx has logged; Caddy logs nothing unless told to."""
    log = folder / "access.log"
    return log.read_text() if log.exists() else ""


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)
