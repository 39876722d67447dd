"""One site that somebody watches: its numbers, its newest events, its outgoing frames."""

from collections.abc import Iterable

import msgspec

from realtime.difference import difference
from realtime.edges import Edges
from realtime.frames import Delta, FeedEvent, Frame, Resync, Snapshot, View
from realtime.hub import Hub
from realtime.outbox import Broadcast, Outbox, Socket
from realtime.recent import Recent
from realtime.row import Row
from shared.metrics import LIVE_FRAMES

BEAT_MS = 5_000
"""A client hears from a quiet site this often, and so can tell it from a dead line."""


class News(msgspec.Struct, frozen=True):
    """What a step of the feed found for one site.

    ``rows``: what came, oldest commit first. ``gone``: rows that stood before, whose place others
    took. ``seen``: when visitors of such rows were last seen without them (see Hub.drop).
    ``counted``: all that came, where it is too much to hold; ``rows`` are then the newest of it.
    """

    rows: list[Row] = []
    gone: list[Row] = []
    seen: dict[int, int | None] = {}
    counted: Hub | None = None


NOTHING_NEW = News()


class Channel:
    """Keeps what was last published, so that a snapshot and the deltas after it fit together."""

    def __init__(
        self, hub: Hub, rows: Iterable[Row], broadcast: Broadcast, queue_bytes: int
    ) -> None:
        self.outbox = Outbox(broadcast, queue_bytes)
        self.empty_since_ms: int | None = None
        self._hub = hub
        self._recent = Recent()
        self._recent.put(rows)
        self._published = View()
        self._final_until: int | None = None
        self._commit = 0
        self._at = 0
        self._sent_ms = 0

    def take(self, news: News) -> tuple[list[FeedEvent], list[str]]:
        """Take the news in; returns what entered the feed, newest first, and what left it."""
        if news.counted is not None:
            self._hub.merge(news.counted)
        else:
            self._hub.take(news.rows)
        self._hub.drop(news.gone, news.seen)
        gone = self._recent.drop({row.event_id for row in news.gone})
        return self._recent.put(news.rows), gone

    def begin(self, commit: int, now_ms: int, edges: Edges, lost_to: int = -1) -> None:
        """What was given so far is everything as of ``commit``. ``lost_to``: up to here a client
        may have been shown commits of before a database was restored."""
        self._note_published(self._view(now_ms, edges), commit, now_ms, edges.final_until)
        self.outbox.start_at(max(commit, lost_to + 1))
        self.empty_since_ms = now_ms
        self._sent_ms = now_ms

    def publish(self, news: News, commit: int, now_ms: int, edges: Edges) -> None:
        """Take the news in, and send what changed since the last frame, if anything did.

        Where nothing did for a while, an empty delta says that the line lives. Only a delta with
        news is kept for those who resume: the next one tells them the horizon anew.
        """
        feed, gone = self.take(news)
        before, view = self._published, self._view(now_ms, edges)
        final = edges.final_until
        moved = final != self._final_until
        self._note_published(view, commit, now_ms, final)
        changed = difference(before, view)
        # A clock that was set back must not silence the line either.
        is_due = not 0 <= now_ms - self._sent_ms < BEAT_MS
        if feed or gone or changed != View():
            self.outbox.put(Delta(commit, now_ms, changed, feed, gone, final))
        elif moved or is_due:
            self.outbox.send(Delta(commit, now_ms, View(), final_until=final))
        else:
            return
        self._sent_ms = now_ms

    def join(self, socket: Socket, last: int | None) -> list[bytes]:
        """Make ``socket`` one of the audience; returns the frames to send it first."""
        missed = None if last is None else self.outbox.since(last, self._commit)
        self.outbox.sockets.add(socket)
        self.empty_since_ms = None
        if missed is not None:
            LIVE_FRAMES.labels("delta").inc(len(missed))
            return missed
        snapshot = _encode(self._snapshot())
        return [snapshot] if last is None else [_encode(Resync(self._commit)), snapshot]

    def leave(self, socket: Socket, now_ms: int) -> None:
        """``socket`` is gone."""
        self.outbox.sockets.discard(socket)
        if not self.outbox.sockets:
            self.empty_since_ms = now_ms

    def _note_published(self, view: View, commit: int, now_ms: int, final: int | None) -> None:
        self._published, self._commit, self._at = view, commit, now_ms
        self._final_until = final

    def _snapshot(self) -> Snapshot:
        events = self._recent.events()
        return Snapshot(self._commit, self._at, self._published, events, self._final_until)

    def _view(self, now_ms: int, edges: Edges) -> View:
        return msgspec.structs.replace(self._hub.view(now_ms), edges=dict(edges.states))


def _encode(frame: Frame) -> bytes:
    LIVE_FRAMES.labels(type(frame).__name__.lower()).inc()
    return msgspec.json.encode(frame)
