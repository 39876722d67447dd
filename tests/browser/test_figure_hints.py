"""How a figure is counted, told at every width."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.panel_world import OVERVIEW, assert_whole, put, view
from tests.browser.watched_site import WatchedSite, watched_site


@pytest.fixture
def watched(database: str, primary: str, scratch: Path) -> Iterator[WatchedSite]:
    with watched_site(database, primary, scratch) as started:
        yield started


@pytest.mark.parametrize("width", [360, 820, 1280])
def test_how_a_figure_is_counted_is_told_within_the_window(
    watched: WatchedSite, chromium: Browser, width: int
) -> None:
    put(watched.store, view(1))
    context = watched.signed_in(chromium, viewport={"width": width, "height": 800})
    page = watched.open(context, OVERVIEW)
    figures = page.locator("[data-metric]")
    expect(figures).to_have_count(6)
    # What moves a figure away from under the pointer has come.
    expect(figures.first.locator(".value")).to_have_text("1")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    for index in range(6):
        figures.nth(index).hover()
        told = figures.nth(index).get_by_role("tooltip")
        expect(told).to_be_visible()
        box = told.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert_whole(page)
    context.close()
