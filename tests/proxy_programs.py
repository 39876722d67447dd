"""nginx and Caddy as Debian packs them, from the machine's own suite, installed nowhere."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infrastructure.local.cache import cached
from infrastructure.local.child import Child
from infrastructure.local.own_suite import unpack_own

_READY_WITHIN_S = 60.0

_NGINX = """\
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    access_log {folder}/access.log;
    include {site};
}}
"""


@contextmanager
def nginx(site: str, folder: Path, port: int) -> Iterator[None]:
    """nginx with `site` as one of its sites, until the block ends; its log is in `folder`."""
    file = folder / "site.conf"
    file.write_text(
        site.replace("listen 80;", f"listen 127.0.0.1:{port};").replace("listen [::]:80;", "")
    )
    config = folder / "nginx.conf"
    text = _NGINX.format(folder=folder, site=file)
    config.write_text(text if os.geteuid() == 0 else text.replace("user root;\n", ""))
    program = _program("nginx", "usr/sbin/nginx")
    with _started([program, "-e", folder / "error.log", "-p", folder, "-c", config], folder, port):
        yield


@contextmanager
def caddy(site: str, folder: Path, port: int) -> Iterator[None]:
    """Caddy with `site`, whose host name becomes an address of this machine without TLS."""
    file = folder / "Caddyfile"
    first = next(line for line in site.splitlines() if line.endswith(" {"))
    here = f"http://:{port} {{\n\tbind 127.0.0.1"
    file.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site.replace(first, here, 1))
    program = _program("caddy", "usr/bin/caddy")
    with _started([program, "run", "--adapter", "caddyfile", "--config", file], folder, port):
        yield


@contextmanager
def _started(command: list[str | Path], folder: Path, port: int) -> Iterator[None]:
    log = folder / "proxy.log"
    child = Child(command, log, environment={**os.environ, "HOME": str(folder)})
    try:
        deadline = time.monotonic() + _READY_WITHIN_S
        while not _listens(port):
            assert child.running, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        child.stop()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _program(package: str, path: str) -> Path:
    def make(temporary: Path, final: Path) -> None:
        libraries = unpack_own(package, [package], temporary, final)
        start = temporary / "start"
        start.write_text(
            f'#!/bin/sh\nexport LD_LIBRARY_PATH="{libraries}"\nexec {final / path} "$@"\n'
        )
        start.chmod(0o755)

    return cached(f"{package}-1", make) / "start"
