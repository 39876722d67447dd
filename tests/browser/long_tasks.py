"""How long a page's tasks kept its reader waiting, as the browser itself notes it."""

from playwright.sync_api import Page

WATCH = """
window.tasks = [];
window.taskObserver = new PerformanceObserver(list =>
  window.tasks.push(...list.getEntries().map(({ duration }) => duration)));
window.taskObserver.observe({ type: 'longtask' });
"""


def long_tasks_ms(page: Page) -> list[float]:
    """Tasks of over 50 ms since `WATCH` was evaluated."""
    found: list[float] = page.evaluate("window.tasks")
    return found
