"""``live_long_tasks``: long tasks over 100 ms of the live page in a minute of 1,000 events a
second, all sent to the edge; ``live_longest_task_ms``: the longest that the browser noted."""

import json
import subprocess
import sys
from contextlib import closing

from infrastructure.demo.household import SITE
from tests.benchmarks.browser_bench import browser, filled_product
from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure, exact
from tests.browser.long_tasks import WATCH, long_tasks_ms

RATE, SECONDS = 1_000, 60
LONG_MS = 100
_A_DAY = 60


def run(context: Context) -> list[Figure]:
    """Raises RuntimeError where the load did not reach its rate."""
    with filled_product(context, _A_DAY) as world, browser() as chromium:
        signed_in = world.signed_in(chromium, viewport={"width": 1360, "height": 900})
        with closing(world.open(signed_in, f"/live?site={SITE}")) as page:
            page.get_by_role("log").wait_for()
            page.wait_for_timeout(2_000)
            page.evaluate(WATCH)
            load = _load(world.product.edge_url)
            while load.poll() is None:
                page.wait_for_timeout(500)
            tasks_ms = long_tasks_ms(page)
        signed_in.close()
        counts = json.loads(load.communicate()[0])
    reached = counts["accepted"] / SECONDS
    if reached < 0.9 * RATE:
        raise RuntimeError(f"{reached:.0f} events a second were taken, not {RATE}: {counts}")
    over = [each for each in tasks_ms if each > LONG_MS]
    detail = {"accepted_per_s": round(reached), "over_50_ms": len(tasks_ms), "seconds": SECONDS}
    return [
        exact("live_long_tasks", len(over), "", **detail),
        exact("live_longest_task_ms", max(tasks_ms, default=0.0), "ms", **detail),
    ]


def _load(edge_url: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.benchmarks.open_load"]
    port = edge_url.rpartition(":")[2]
    return subprocess.Popen(
        [*command, port, SITE, str(RATE), str(SECONDS)], stdout=subprocess.PIPE, text=True
    )
