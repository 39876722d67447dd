"""From nothing to one's own site: every step a verb of `./run`, with nothing configured."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infrastructure.local.folders import CHECKOUT
from infrastructure.traffic.browsers import BROWSERS

SITE = "shop.example"
WITHIN_S = 120.0


class Shell:
    """Somebody who types verbs in a checkout."""

    def __init__(self, state: Path) -> None:
        kept = {name: at for name, at in os.environ.items() if not name.startswith("MILLRACE_")}
        cache = {name: at for name, at in os.environ.items() if name == "MILLRACE_CACHE"}
        own = {"MILLRACE_STATE": str(state), "MILLRACE_GEO_REFRESH": "false"}
        self._environment = {**kept, **cache, **own, "PYTHONPATH": str(CHECKOUT)}
        self._state = state

    def run(self, *words: str) -> str:
        """What the verb prints on standard output; it has to succeed."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "infrastructure.cli", *words],
            env=self._environment,
            cwd=self._state,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def told(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))


@pytest.fixture
def shell(scratch: Path) -> Iterator[Shell]:
    """With everything up, on free ports and without data."""
    state = scratch / "onboarding"
    state.mkdir()
    somebody = Shell(state)
    try:
        somebody.run("up", "--free-ports")
        yield somebody
    finally:
        somebody.run("down")


def test_an_owner_a_site_its_first_event_and_a_key_that_counts_it(shell: Shell) -> None:
    link = shell.run("owner", "add", "you@example.com", "--link").strip()
    dashboard, _, token = link.partition("/login#token=")
    signed_in = httpx.post(
        f"{dashboard}/api/session/link",
        json={"token": token},
        headers={"origin": dashboard},
        trust_env=False,
        timeout=WITHIN_S,
    )
    assert signed_in.json()["email"] == "you@example.com"

    snippet = shell.told("site", "add", SITE, "--time-zone", "Europe/Berlin")["snippet"]
    assert shell.told("site", "list")[0]["events_today"] == 0
    (script,) = re.findall(r'src="([^"]+/t\.js)"', snippet)
    assert httpx.get(script, trust_env=False, timeout=WITHIN_S).status_code == 200
    until_taken(script.replace("/t.js", "/track"))
    until(lambda: shell.told("site", "show", SITE)["arrivals"]["first_event_at"])
    assert shell.told("site", "list")[0]["last_event_at"] is not None
    assert SITE in shell.run("site", "list")

    key = shell.run("key", "add", "--scope", "query", "--site", SITE).strip()
    # An answer may be some seconds behind what is stored.
    until(lambda: _counted(dashboard, key) == [1, 1])


def _counted(dashboard: str, key: str) -> Any:
    answer = httpx.post(
        f"{dashboard}/api/v2/query",
        json={"site_id": SITE, "metrics": ["visitors", "pageviews"], "date_range": "all"},
        headers={"authorization": f"Bearer {key}"},
        trust_env=False,
        timeout=WITHIN_S,
    )
    return answer.json()["results"][0]["metrics"]


def until_taken(edge: str) -> None:
    """One page view, sent as a browser does as soon as the edge knows the site."""
    until(lambda: _send(edge) == 202)


def _send(edge: str) -> int:
    return httpx.post(
        edge,
        json={"site": SITE, "url": f"https://{SITE}/"},
        headers={"origin": f"https://{SITE}", "user-agent": BROWSERS[0][1].user_agent},
        trust_env=False,
        timeout=WITHIN_S,
    ).status_code


def until(arrived: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not arrived():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.2)
