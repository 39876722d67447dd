"""`./run demo` itself: the longest tests of the suite, some seventy seconds together."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infrastructure.local.folders import CHECKOUT

_STOPPED = "The primary Redis is stopped"


@contextmanager
def demo(state: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The demo as a process of its own, ended with the body."""
    state.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
    cache = {name: value for name, value in os.environ.items() if name == "MILLRACE_CACHE"}
    command = [sys.executable, "-P", "-u", "-m", "infrastructure.cli", "demo", "--free-ports"]
    with subprocess.Popen(
        [*command, *options],
        env={**kept, **cache, "MILLRACE_STATE": str(state), "PYTHONPATH": str(CHECKOUT)},
        cwd=state,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


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


def test_the_demo_ends_by_itself_with_nothing_lost_and_nothing_duplicated(scratch: Path) -> None:
    with demo(scratch / "demo-once", "--once") as process:
        shown, _ = process.communicate(timeout=240)
    assert process.returncode == 0, shown
    account = account_in(shown)
    assert account["sent"] >= account["accepted"] == account["stored"] > 0, shown
    assert (account["lost"], account["duplicated"]) == (0, 0), shown
    assert _STOPPED in shown
    assert re.search(r"primary DOWN, spool [1-9]", shown), shown


def test_ctrl_c_in_the_middle_of_the_outage_stops_all_of_it_and_still_accounts(
    scratch: Path,
) -> None:
    state = scratch / "demo-interrupted"
    with demo(state, "--rate", "20") as process:
        assert process.stdout is not None
        shown = ""
        for line in process.stdout:
            shown += line
            if _STOPPED in line:
                assert processes_naming(state)
                process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    assert process.returncode == 0, shown
    account = account_in(shown)
    assert account["accepted"] == account["stored"] > 0, shown
    assert (account["lost"], account["duplicated"]) == (0, 0), shown
    assert processes_naming(state) == []
