"""`./run demo --once` itself: the longest test of the suite, some seventy seconds."""

import os
import re
import subprocess
import sys
from pathlib import Path

from infrastructure.local.folders import CHECKOUT


def test_the_demo_ends_by_itself_with_nothing_lost_and_nothing_duplicated(scratch: Path) -> None:
    state = scratch / "demo-state"
    state.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "infrastructure.cli", "demo", "--once", "--free-ports"],
        env={**kept, "MILLRACE_STATE": str(state), "PYTHONPATH": str(CHECKOUT)},
        cwd=state,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    shown = ran.stdout + ran.stderr
    assert ran.returncode == 0, shown
    account = {
        name: int(count.replace(",", ""))
        for name, count in re.findall(r"^(\w+) +([\d,]+)\b", ran.stdout, re.MULTILINE)
    }
    assert account["accepted"] == account["stored"] > 0, shown
    assert (account["lost"], account["duplicated"]) == (0, 0), shown
    assert "The primary Redis is stopped" in ran.stdout
    assert re.search(r"primary DOWN, spool [1-9]", ran.stdout), shown
