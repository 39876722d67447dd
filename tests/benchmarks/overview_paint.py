"""``overview_paint_ms``: from navigation to the frame after the last panel stood, on the demo's
two months, with an empty cache; the median of several loads."""

from statistics import median

from playwright.sync_api import BrowserContext, ViewportSize

from infrastructure.demo.history import EVENTS_A_DAY
from infrastructure.demo.household import SITE
from tests.benchmarks.browser_bench import browser, filled_product
from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure
from tests.browser.demo_world import DemoWorld

LOADS = 7
_WINDOW: ViewportSize = {"width": 1360, "height": 900}
_PANELS = 5

# The last change before everything stood still, and the frame that shows it.
_WATCH = f"""
window.whole = new Promise(done => {{
  const look = () => {{
    const filled = [...document.querySelectorAll('section, [role=region]')]
      .filter(panel => panel.querySelector('tbody tr')).length;
    const busy = document.querySelector('[aria-busy=true]');
    if (filled >= {_PANELS} && !busy && document.querySelector('main svg path'))
      requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())));
    else requestAnimationFrame(look);
  }};
  requestAnimationFrame(look);
}});
"""


def run(context: Context) -> list[Figure]:
    """Each load in a window of its own, which has only the session of the one before."""
    with filled_product(context, EVENTS_A_DAY) as world, browser() as chromium:
        signed_in = world.signed_in(chromium)
        session = signed_in.storage_state()
        signed_in.close()
        took_ms = []
        for _ in range(LOADS):
            fresh = chromium.new_context(viewport=_WINDOW, storage_state=session)
            took_ms.append(_load(world, fresh))
            fresh.close()
    detail = {"loads_ms": [round(each) for each in took_ms], "events_a_day": EVENTS_A_DAY}
    return [Figure("overview_paint_ms", median(took_ms), min(took_ms), max(took_ms), "ms", detail)]


def _load(world: DemoWorld, context: BrowserContext) -> float:
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.add_init_script(_WATCH)
    page.goto(f"{world.url}/sites/{SITE}")
    return float(page.evaluate("window.whole"))
