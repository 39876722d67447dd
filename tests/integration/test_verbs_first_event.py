"""`site add` waits for the first event, and says what came instead."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from infrastructure.local.folders import CHECKOUT
from infrastructure.local.product import Product
from infrastructure.traffic.browsers import BROWSERS

SITE = "shop.example"
BROWSER = BROWSERS[0][1].user_agent
WITHIN_S = 60.0


@dataclass
class Waiting:
    """The verb as a process, and its lines as they come."""

    process: "subprocess.Popen[str]"
    lines: "queue.Queue[str]" = field(default_factory=queue.Queue)

    def until(self, text: str) -> str:
        """The next line that holds it; fails where none comes."""
        while True:
            line = self.lines.get(timeout=WITHIN_S)
            if text in line:
                return line

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)


@contextmanager
def adding(millrace: Product, *options: str) -> Iterator[Waiting]:
    verb = (sys.executable, "-P", "-u", "-m", "infrastructure.cli", "site", "add", SITE, *options)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
    with subprocess.Popen(
        verb,
        env={
            **kept,
            **millrace.settings,
            "MILLRACE_STATE": str(millrace.folder),
            "PYTHONPATH": str(CHECKOUT),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        waiting = Waiting(process)
        reader = threading.Thread(target=waiting.read)
        reader.start()
        try:
            yield waiting
        finally:
            process.kill()
            reader.join()


def beacon(millrace: Product, site: str = SITE, **headers: str) -> int:
    """Sends a page view; the status."""
    return httpx.post(
        f"{millrace.edge_url}/track",
        json={"site": site, "url": f"https://{SITE}/"},
        headers={"user-agent": BROWSER, **{k.replace("_", "-"): v for k, v in headers.items()}},
        timeout=WITHIN_S,
        trust_env=False,
    ).status_code


def until_known(millrace: Product) -> None:
    """The edge learns of the new site with the next snapshot."""
    until_status(403, lambda: beacon(millrace, origin="https://elsewhere.example"))


def until_status(status: int, send: Callable[[], int]) -> None:
    """What the edge knows decides; it comes with its snapshots."""
    deadline = time.monotonic() + WITHIN_S
    while (answered := send()) != status:
        assert time.monotonic() < deadline, answered
        time.sleep(0.05)


def test_what_comes_instead_is_told_with_the_next_step_until_an_event_counts(
    millrace: Product,
) -> None:
    with adding(millrace, "--time-zone", "UTC", "--wait") as waiting:
        waiting.until("data-site=")
        waiting.until("Waiting for the first event")
        # Without a snapshot an edge takes every site.
        until_status(400, lambda: beacon(millrace, site="shop.exampel"))
        assert f"data-site must be {SITE}" in waiting.until("(unknown_site)")
        until_known(millrace)
        assert "origins=" in waiting.until("(forbidden_origin)")
        assert beacon(millrace, dnt="1") == 202
        assert "Do Not Track" in waiting.until("(dnt)")
        assert beacon(millrace, user_agent="Wget/1.25.0") == 202
        assert "(rule [wW]get)" in waiting.until("robot")
        assert beacon(millrace, origin=f"https://{SITE}") == 202
        assert f"/sites/{SITE}" in waiting.until("The first event is here")
        assert waiting.process.wait(WITHIN_S) == 0


def test_ctrl_c_ends_the_waiting_politely_and_the_site_stays(millrace: Product) -> None:
    with adding(millrace, "--time-zone", "UTC", "--wait") as waiting:
        waiting.until("Waiting for the first event")
        waiting.process.send_signal(signal.SIGINT)
        assert f"site show {SITE}" in waiting.until("None so far")
        assert waiting.process.wait(WITHIN_S) == 0


def test_without_a_terminal_it_waits_for_nothing_unless_told_to(millrace: Product) -> None:
    with adding(millrace) as waiting:
        waiting.until("data-site=")
        assert waiting.process.wait(WITHIN_S) == 0
