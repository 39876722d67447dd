"""What the browser's benchmarks share: the product with the demo's history, and a Chromium."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from infrastructure.local.chromium import ARGUMENTS, chromium_path
from infrastructure.local.stack import fresh_plan, local_stack
from tests.benchmarks.context import Context
from tests.browser.demo_world import DemoWorld, demo_world


@contextmanager
def filled_product(context: Context, events_a_day: int) -> Iterator[DemoWorld]:
    """With servers of its own, so that nobody else's rows are in it."""
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=context.folder))
    folder.chmod(0o755)
    context.say(f"  sending two months of {events_a_day} events a day …")
    with (
        local_stack(folder / "stack", fresh_plan()) as stack,
        demo_world(folder, stack, events_a_day) as world,
    ):
        yield world


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGUMENTS))
        yield started
        started.close()
