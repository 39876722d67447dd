"""The newest events of a site, as the feed of a snapshot shows them."""

from collections.abc import Iterable

from realtime.frames import FeedEvent
from realtime.row import Row, feed_event, is_shown

FEED_LENGTH = 100


class Recent:
    """The last 100 feed events in the order of their commits, newest first."""

    def __init__(self) -> None:
        self._events: list[FeedEvent] = []

    def events(self) -> list[FeedEvent]:
        """Newest first."""
        return list(self._events)

    def drop(self, gone: set[str]) -> list[str]:
        """Take out events whose place another took; returns the ids that stood here."""
        dropped = [event.id for event in self._events if event.id in gone]
        self._events = [event for event in self._events if event.id not in gone]
        return dropped

    def put(self, rows: Iterable[Row]) -> list[FeedEvent]:
        """Add rows, oldest first; returns what was added, newest first."""
        shown = [feed_event(row) for row in rows if is_shown(row)]
        added = shown[-FEED_LENGTH:][::-1]
        self._events = (added + self._events)[:FEED_LENGTH]
        return added
