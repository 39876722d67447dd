"""The numbers of one site's live page: rows go in, a view comes out. Pure; time is passed in.

Every window goes by ``ts``, so that what a drain brings fills past minutes and makes nobody be
here now.
"""

from collections.abc import Iterable

from realtime.frames import Counts, View
from realtime.present import HERE_S, Present
from realtime.row import PAGEVIEW, Row, is_counted
from realtime.window import Window

WINDOW_MINUTES = 30
MOMENT_S = 5
LARGEST = 10

_MS = 1_000
_MS_PER_MINUTE = 60 * _MS
_MS_PER_MOMENT = MOMENT_S * _MS


class Hub:
    """Bounded by what happened in the last 30 minutes."""

    def __init__(self) -> None:
        self._present = Present()
        self._minutes = Window(WINDOW_MINUTES, 1)
        self._moments = Window(HERE_S // MOMENT_S, 1)
        self._pages = Window(WINDOW_MINUTES, LARGEST)
        self._sources = Window(WINDOW_MINUTES, LARGEST)
        self._countries = Window(WINDOW_MINUTES, LARGEST)

    def take(self, rows: Iterable[Row]) -> None:
        """Count rows, in any order, each once."""
        for row in rows:
            if is_counted(row):
                self._count(row)

    def view(self, now_ms: int) -> View:
        """What the page shows at ``now_ms``, which never runs back."""
        self._advance(now_ms)
        return View(
            here=self._present.count(now_ms // _MS),
            minutes=_by_slot(self._minutes),
            moments=_by_slot(self._moments),
            pages=dict(self._pages.largest()),
            sources=dict(self._sources.largest()),
            countries=dict(self._countries.largest()),
        )

    def _count(self, row: Row) -> None:
        if row.visitor is not None:
            self._present.see(row.visitor, row.ts_ms // _MS)
        if row.name == PAGEVIEW:
            minute = row.ts_ms // _MS_PER_MINUTE
            self._minutes.add(minute, "")
            self._moments.add(row.ts_ms // _MS_PER_MOMENT, "")
            self._pages.add(minute, row.page)
            self._sources.add(minute, row.source)
            self._countries.add(minute, row.country)

    def _advance(self, now_ms: int) -> None:
        minute = now_ms // _MS_PER_MINUTE
        for window in (self._minutes, self._pages, self._sources, self._countries):
            window.advance(minute)
        self._moments.advance(now_ms // _MS_PER_MOMENT)


def _by_slot(window: Window) -> Counts:
    return {str(slot): count for slot, count in sorted(window.by_slot())}
