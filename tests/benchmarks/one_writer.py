"""One writer process on the servers of a benchmark."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infrastructure.local.ports import free_ports
from infrastructure.local.stack import LocalStack
from tests.writer_world import SEAL_KEY, SIGNING_KEY

_LOOK_EVERY_S = 0.01
_READY_WITHIN_S = 60
_ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def one_writer(stack: LocalStack, *, rollups: bool) -> Iterator[int]:
    """Its process id."""
    port = free_ports(1)[0]
    environment = {
        "MILLRACE_POSTGRES_URL": stack.postgres_url,
        "MILLRACE_PRIMARY_URL": stack.primary_url,
        "MILLRACE_SIGNING_KEY": SIGNING_KEY,
        "MILLRACE_SEAL_KEYS": SEAL_KEY,
        "MILLRACE_WRITER_PORT": str(port),
        "MILLRACE_LOG_LEVEL": "warning",
        "MILLRACE_ROLLUPS": str(rollups).lower(),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "writer"],
        cwd=_ROOT,
        env={"PATH": os.environ["PATH"], **environment},
    )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/readyz")
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(_LOOK_EVERY_S)
    raise RuntimeError("the writer did not become ready")
