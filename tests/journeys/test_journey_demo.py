"""`./run demo` itself: the longest tests of the suite, some ninety seconds together."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from infrastructure.demo.household import SITE
from infrastructure.local.folders import CHECKOUT
from infrastructure.traffic.browsers import BROWSERS

VERB = (sys.executable, "-P", "-u", "-m", "infrastructure.cli")
_STOPPED = "The primary Redis is stopped"


@contextmanager
def demo(state: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The demo as a process of its own, ended with the body."""
    state.mkdir()
    with subprocess.Popen(
        [*VERB, "demo", "--free-ports", *options],
        env=environment(state),
        cwd=state,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def environment(state: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
    cache = {name: value for name, value in os.environ.items() if name == "MILLRACE_CACHE"}
    return {**kept, **cache, "MILLRACE_STATE": str(state), "PYTHONPATH": str(CHECKOUT)}


def verb(state: Path, *words: str) -> str:
    """What another verb prints on standard output; it has to succeed."""
    done = subprocess.run(
        [*VERB, *words],
        env=environment(state),
        cwd=state,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def addresses_in(shown: str) -> tuple[str, str, str]:
    """(the link that signs in, the shop, where beacons go)."""
    link, shop, edge = (
        re.findall(rf"{label}.*?(http://127.0.0.1:\S+)", shown)
        for label in ("Open this", "shop:", "Beacons go to")
    )
    return link[0], shop[0], edge[0]


def visitors_by_day(dashboard: httpx.Client) -> list[int]:
    """Of the last thirty days."""
    question = {
        "site_id": SITE,
        "metrics": ["visitors"],
        "date_range": "30d",
        "dimensions": ["time:day"],
    }
    answer = dashboard.post("/api/v2/query", json=question)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["results"]
    return [row["metrics"][0] for row in rows]


def look_around(shown: str) -> None:
    """What somebody does first: opens the link, sees a month of numbers, clicks in the shop."""
    link, shop, edge = addresses_in(shown)
    address, token = link.split("/login#token=")
    headers = {"origin": address}
    with httpx.Client(base_url=address, headers=headers, trust_env=False, timeout=60) as dashboard:
        taken = [
            dashboard.post("/api/session/link", json={"token": token}).status_code for _ in "ab"
        ]
        assert taken == [200, 401]
        days = visitors_by_day(dashboard)
        assert len(days) == 30
        assert min(days) > 150
        assert max(days) > 1.5 * sorted(days)[15]
    page = httpx.get(shop, trust_env=False, timeout=60)
    assert edge.removesuffix("/track") + "/t.js" in page.text
    seen = httpx.post(
        edge,
        json={"site": SITE, "url": shop, "title": "Demo shop"},
        headers={"origin": shop.rstrip("/"), "user-agent": BROWSERS[0][1].user_agent},
        trust_env=False,
        timeout=60,
    )
    assert seen.json()["accepted"] == 1, seen.text


def account_in(shown: str) -> dict[str, int]:
    rows = re.findall(r"^(sent|accepted|stored|lost|duplicated) +([\d,]+)", shown, re.MULTILINE)
    return {name: int(count.replace(",", "")) for name, count in rows}


def processes_naming(folder: Path) -> list[str]:
    """Command lines that name the folder: servers are started with their files in it."""
    lines = map(_command_line, Path("/proc").glob("[0-9]*/cmdline"))
    return [line for line in lines if str(folder) in line]


def _command_line(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it has ended meanwhile
        return ""


def test_the_demo_shows_a_month_signs_in_by_its_link_and_ends_with_nothing_lost(
    scratch: Path,
) -> None:
    state = scratch / "demo-once"
    with demo(state, "--once") as process:
        assert process.stdout is not None
        shown = ""
        for line in process.stdout:
            shown += line
            if "ssh -N -L" in line:
                look_around(shown)
        process.wait(timeout=240)
    assert process.returncode == 0, shown
    account = account_in(shown)
    assert account["sent"] >= account["accepted"] == account["stored"] > 0, shown
    assert (account["lost"], account["duplicated"]) == (0, 0), shown
    assert _STOPPED in shown
    assert re.search(r"primary DOWN, spool [1-9]", shown), shown
    assert "./run site add example.com" in shown.splitlines()[-1]
    up_never_shows_the_demo(state)


def up_never_shows_the_demo(state: Path) -> None:
    try:
        verb(state, "up", "--free-ports")
        assert json.loads(verb(state, "site", "list", "--json")) == []
    finally:
        verb(state, "down")


def test_ctrl_c_in_the_middle_of_the_outage_stops_all_of_it_and_still_accounts(
    scratch: Path,
) -> None:
    state = scratch / "demo-interrupted"
    with demo(state, "--rate", "20", "--no-history") as process:
        assert process.stdout is not None
        shown = ""
        for line in process.stdout:
            shown += line
            if _STOPPED in line:
                assert processes_naming(state)
                process.send_signal(signal.SIGINT)
        process.wait(timeout=240)
    assert process.returncode == 0, shown
    account = account_in(shown)
    assert account["accepted"] == account["stored"] > 0, shown
    assert (account["lost"], account["duplicated"]) == (0, 0), shown
    assert processes_naming(state) == []
