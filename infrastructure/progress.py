"""Progress on screen for whatever takes long: a bar on a terminal, lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_LINE_EVERY_S = 2.0

Report = Callable[[int, int], None]
"""Called with (done, total), in any unit; what is shown is their ratio."""

console = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def step(title: str) -> Iterator[Report]:
    """Show `title` while the body runs; the body may report how far it is."""
    shown = _bar(title) if console.is_terminal else _lines(title)
    with shown as report:
        yield report


@contextmanager
def _bar(title: str) -> Iterator[Report]:
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
        progress.update(task, total=1, completed=1)


@contextmanager
def _lines(title: str) -> Iterator[Report]:
    console.print(f"{title} …")
    started = last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if total and now - last >= _LINE_EVERY_S:
            last = now
            console.print(f"  {100 * done // total} %")

    yield report
    if time.monotonic() - started >= _LINE_EVERY_S:
        console.print(f"  done in {time.monotonic() - started:.0f} s")
