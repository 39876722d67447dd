"""What a client must be told to bring one view to another."""

from collections.abc import Mapping
from typing import TypeVar

from realtime.frames import View

T = TypeVar("T")


def difference(before: View, after: View) -> View:
    """Changed keys with their new, absolute values; null for those that went."""
    return View(
        here=after.here if after.here != before.here else None,
        minutes=_changed(before.minutes, after.minutes),
        moments=_changed(before.moments, after.moments),
        pages=_changed(before.pages, after.pages),
        sources=_changed(before.sources, after.sources),
        countries=_changed(before.countries, after.countries),
        edges=_changed(before.edges, after.edges),
    )


def _changed(before: Mapping[str, T | None], after: Mapping[str, T | None]) -> dict[str, T | None]:
    changed: dict[str, T | None] = {
        key: value for key, value in after.items() if before.get(key) != value
    }
    changed.update((key, None) for key in before if key not in after)
    return changed
