"""What the edges hold back, as a page is told it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from realtime.frames import EdgeState
from shared.completeness import (
    WRITTEN_OFF_AFTER,
    EdgeCompleteness,
    Found,
    State,
    final_until,
    judge,
)

BEHIND_AFTER = timedelta(seconds=10)
"""Two heartbeats and a look at them take less, even where a machine is busy."""


class Edges(msgspec.Struct, frozen=True):
    """Every edge that is not retired, and up to when all of them are final (epoch ms); None: no
    edge is waited for."""

    states: Mapping[str, EdgeState] = {}
    final_until: int | None = None


class Answer(msgspec.Struct, frozen=True):
    """What the database said of the edges. ``commit_no``: the last commit it counted as stored."""

    edges: Edges
    commit_no: int


def answer(records: Iterable[Found], silent_after_s: float) -> Answer:
    """The database's clock judges, the same by which all its records are compared."""
    found = list(records)
    silent_after = timedelta(seconds=silent_after_s)
    judged = [judge(record, record.asked_at, silent_after) for record in found]
    states = {
        edge.edge: _state(edge, record.asked_at)
        for edge, record in zip(judged, found, strict=True)
        if edge.state is not State.RETIRED
    }
    final = final_until(judged)
    commit_no = max((record.commit_no or 0 for record in found), default=0)
    return Answer(Edges(states, None if final is None else _ms(final)), commit_no)


class Horizon:
    """Lets ``final_until`` move on only when all that it counts on has settled.

    A commit can be stored and not yet be shown, because one with a lower number is still open: a
    page that were told of the horizon at once would call final what it is still to be sent.
    """

    def __init__(self) -> None:
        self._states: Mapping[str, EdgeState] = {}
        self._final: int | None = None
        self._waiting: tuple[int, int | None] | None = None

    def note(self, newest: Answer) -> None:
        """An answer; its horizon waits, but where it is nearer than the last."""
        self._states = newest.edges.states
        final = newest.edges.final_until
        if _is_before(final, self._final):
            self._final, self._waiting = final, None
        elif self._waiting is None or _is_before(final, self._waiting[1]):
            # One that waits is not replaced by each newer one, so that it comes to its end.
            self._waiting = newest.commit_no, final

    def as_of(self, settled: int) -> Edges:
        """What may be said once every commit up to ``settled`` is shown."""
        if self._waiting is not None and self._waiting[0] <= settled:
            self._final, self._waiting = self._waiting[1], None
        return Edges(self._states, self._final)


def _is_before(one: int | None, other: int | None) -> bool:
    return one is not None and (other is None or one < other)


def _state(edge: EdgeCompleteness, now: datetime) -> EdgeState:
    behind = not edge.is_passed and now - edge.final_until > BEHIND_AFTER
    since, oldest = edge.silent_since, edge.held_back.oldest_at
    return EdgeState(
        silent_since=None if since is None else _ms(since),
        spooled_batches=edge.held_back.batches,
        written_off_at=None if since is None else _ms(since + WRITTEN_OFF_AFTER),
        oldest_at=None if oldest is None else _ms(oldest),
        behind_since=_ms(edge.final_until) if behind else None,
        in_flight_batches=edge.in_flight_batches if behind else 0,
        lost_batches=edge.lost_batches,
    )


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)
