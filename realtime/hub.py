"""The numbers of one site's live page: rows go in, a view comes out. Pure; time is passed in.

Every window goes by ``ts``, so that what a drain brings fills past minutes and makes nobody be
here now.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from realtime.frames import Counts, View
from realtime.present import HERE_S, Present
from realtime.row import PAGEVIEW, Row, is_counted
from realtime.window import Window

WINDOW_MINUTES = 30
MOMENT_S = 5
LARGEST = 10

Kind = Literal["minutes", "moments", "pages", "sources", "countries"]

_MS = 1_000
_MS_PER_MINUTE = 60 * _MS
_MS_PER_MOMENT = MOMENT_S * _MS


class Hub:
    """Bounded by what happened in the last 30 minutes."""

    def __init__(self) -> None:
        self._present = Present()
        self._windows: dict[Kind, Window] = {
            "minutes": Window(WINDOW_MINUTES, 1),
            "moments": Window(HERE_S // MOMENT_S, 1),
            "pages": Window(WINDOW_MINUTES, LARGEST),
            "sources": Window(WINDOW_MINUTES, LARGEST),
            "countries": Window(WINDOW_MINUTES, LARGEST),
        }

    def take(self, rows: Iterable[Row]) -> None:
        """Count rows, in any order, each once."""
        for row in rows:
            if is_counted(row):
                self._count(row)

    def drop(self, rows: Iterable[Row], seen: Mapping[int, int | None]) -> None:
        """Take rows back that were counted, whose place others took.

        ``seen``: the second in which those of their visitors were last seen, without them, of
        whom a row of the last five minutes went; None: not in these five minutes.
        """
        for row in rows:
            if is_counted(row):
                self._drop(row)
        for visitor, second in seen.items():
            self._present.put(visitor, second)

    def see(self, visitor: int, second: int) -> None:
        """Note when a visitor was seen, counted elsewhere."""
        self._present.see(visitor, second)

    def add(self, kind: Kind, slot: int, key: str, times: int) -> None:
        """Add pageviews that were counted elsewhere."""
        self._windows[kind].add(slot, key, times)

    def merge(self, other: "Hub") -> None:
        """Add all that ``other`` counted."""
        self._present.merge(other._present)
        for kind, window in self._windows.items():
            window.merge(other._windows[kind])

    def view(self, now_ms: int) -> View:
        """What the page shows at ``now_ms``, which never runs back."""
        self._advance(now_ms)
        return View(
            here=self._present.count(now_ms // _MS),
            minutes=_by_slot(self._windows["minutes"]),
            moments=_by_slot(self._windows["moments"]),
            pages=dict(self._windows["pages"].largest()),
            sources=dict(self._windows["sources"].largest()),
            countries=dict(self._windows["countries"].largest()),
        )

    def _count(self, row: Row) -> None:
        if row.visitor is not None:
            self._present.see(row.visitor, row.ts_ms // _MS)
        for kind, slot, key in _places(row):
            self._windows[kind].add(slot, key)

    def _drop(self, row: Row) -> None:
        for kind, slot, key in _places(row):
            self._windows[kind].drop(slot, key)

    def _advance(self, now_ms: int) -> None:
        for kind, window in self._windows.items():
            window.advance(now_ms // (_MS_PER_MOMENT if kind == "moments" else _MS_PER_MINUTE))


def _places(row: Row) -> Iterable[tuple[Kind, int, str]]:
    """Where a pageview is counted: kind, slot and key; nowhere what is none."""
    if row.name != PAGEVIEW:
        return ()
    minute = row.ts_ms // _MS_PER_MINUTE
    return (
        ("minutes", minute, ""),
        ("moments", row.ts_ms // _MS_PER_MOMENT, ""),
        ("pages", minute, row.page),
        ("sources", minute, row.source),
        ("countries", minute, row.country),
    )


def _by_slot(window: Window) -> Counts:
    return {str(slot): count for slot, count in sorted(window.by_slot())}
