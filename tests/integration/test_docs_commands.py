"""Every command in the docs does what it says: each page's shell blocks, in order.

Blocks with `./run` go to one shell, as in a fresh clone: nothing runs yet, nothing is set. The
others go to another, as on the core: `millrace` is installed, Millrace runs, `$API` and `$EDGE` are
its addresses and `$KEY` is a key that may do all.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
import pytest

from infrastructure.local.folders import CHECKOUT
from infrastructure.local.installation import chosen_ports
from infrastructure.local.product import Product
from infrastructure.manifest import read_manifest
from shared.settings import PREFIX
from tests.documents import PAGES, Block, blocks

_WITHIN_S = 600
_STORED_WITHIN_S = 180

_PRELUDE = """\
set -euo pipefail
curl() {
    # Edges hear of a new site or key within seconds: what is refused until then is asked again.
    command curl --silent --show-error --fail-with-body --max-time 60 \\
        --retry 20 --retry-delay 1 --retry-all-errors "$@"
}
"""

Run = Callable[[list[Block], Mapping[str, str]], None]


def _runnable(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.is_shell and block.not_run_here is None]


def _in_a_clone(page: Path) -> list[Block]:
    return [block for block in _runnable(page) if "./run" in block.text]


def _on_the_core(page: Path) -> list[Block]:
    return [block for block in _runnable(page) if "./run" not in block.text]


_CORE_PAGES = [page for page in PAGES if _on_the_core(page)]
_CLONE_PAGES = [page for page in PAGES if _in_a_clone(page)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs blocks in an empty folder, where `run` and `millrace` are this checkout's verbs."""
    for name in ("run", "bin/millrace"):
        program = tmp_path / "here" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        call = f"PYTHONPATH={shlex.quote(str(CHECKOUT))} exec {shlex.quote(sys.executable)} -P"
        program.write_text(f'#!/bin/sh\n{call} -m infrastructure.cli "$@"\n')
        program.chmod(0o755)

    def run_blocks(chosen: list[Block], variables: Mapping[str, str]) -> None:
        here = tmp_path / "here"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        path = f"{here / 'bin'}:{os.environ['PATH']}"
        ran = subprocess.run(
            ["bash"],
            input=_PRELUDE + "".join(f"echo '# {b.name}' >&2\n{b.text}\n" for b in chosen),
            cwd=here,
            env={**kept, **variables, "PATH": path, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )
        assert ran.returncode == 0, f"{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"

    return run_blocks


@pytest.fixture
def running(millrace: Product) -> dict[str, str]:
    """The settings of a running product, with what the pages call its addresses and a key."""
    settings = dict(millrace.settings)
    command = [sys.executable, "-P", "-m", "infrastructure.cli", "key", "add"]
    scopes = [
        word for scope in ("query", "admin", "ingest", "import") for word in ("--scope", scope)
    ]
    made = subprocess.run(
        [*command, *scopes],
        env={**os.environ, **settings, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    named = {"API": millrace.api_url, "EDGE": millrace.edge_url, "KEY": made.stdout.strip()}
    return {**settings, **named}


@pytest.mark.parametrize("page", _CORE_PAGES, ids=lambda page: page.name)
def test_every_command_for_the_core_runs_and_what_it_sends_is_counted(
    page: Path, run: Run, running: dict[str, str], millrace: Product
) -> None:
    run(_on_the_core(page), running)
    if any("/track" in block.text for block in _on_the_core(page)):
        assert _counted(millrace.postgres_url) > 0
    with psycopg.connect(millrace.postgres_url) as connection:
        assert connection.execute("select name from events where bot is not null").fetchall() == []


@pytest.mark.parametrize("page", _CLONE_PAGES, ids=lambda page: page.name)
def test_every_command_for_a_clone_runs(page: Path, run: Run, scratch: Path) -> None:
    ports = chosen_ports(read_manifest())
    state = {"MILLRACE_STATE": str(scratch / f"docs-{page.stem}")}
    run(_in_a_clone(page), {**{name: str(port) for name, port in ports.items()}, **state})


def _counted(database: str) -> int:
    """Events that count, once there are some."""
    deadline = time.monotonic() + _STORED_WITHIN_S
    with psycopg.connect(database, autocommit=True) as connection:
        while time.monotonic() < deadline:
            found = connection.execute("select count(*) from events where bot is null").fetchone()
            if found and found[0]:
                return int(found[0])
            time.sleep(0.2)
    return 0
