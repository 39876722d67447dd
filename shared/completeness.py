"""Up to when the numbers can no longer change, and what is still held back.

An edge is final up to T when each of its boots has received nothing before T that is not stored.
One that is retired, or has been silent for seven days, is written off: it holds nothing up, and is
named until it returns. The API answers with this and the live gateway draws it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, LiteralString, NamedTuple

import msgspec

SILENT_AFTER = timedelta(seconds=5)
WRITTEN_OFF_AFTER = timedelta(days=7)

# Every registered edge, by name, in the columns of Found. Of a boot that has ended everything is at
# the primary: it holds up while a number is missing.
READ: LiteralString = """
SELECT e.edge, e.added_at, e.last_heard, e.retired_at,
  e.spooled_batches, e.spooled_bytes, e.oldest_spooled_at,
  coalesce(sum(greatest(h.missing - h.lost, 0)), 0)::bigint AS in_flight_batches,
  coalesce(sum(h.lost), 0)::bigint AS lost_batches,
  count(h.boot) FILTER (WHERE h.passed) AS passed_boots,
  min(coalesce(h.final_until, e.added_at))
    FILTER (WHERE h.missing > 0 OR NOT (h.ended OR h.passed)) AS final_until,
  now() AS asked_at,
  (SELECT max(commit_no) FROM commits) AS commit_no
FROM edge e LEFT JOIN LATERAL (
  SELECT b.boot, b.ended, b.final_until, NOT b.ended AND b.last_heard <= %(limit)s AS passed,
    (SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest(b.lost) r) AS lost,
    (SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest(
      int8multirange(int8range(1, b.low + 1)) - b.stored - b.void - b.aside
      - b.accepted - coalesce((SELECT range_agg(int8range(seq, seq + 1)) FROM batch s
          WHERE s.edge = b.edge AND s.boot = b.boot AND s.seq <= b.low), '{}')) r) AS missing
  FROM boot b WHERE b.edge = e.edge
    AND (NOT b.ended OR NOT (b.stored + b.void + b.accepted) @> int8range(1, b.low + 1))
) h ON true
GROUP BY e.edge ORDER BY e.edge
"""


class Found(NamedTuple):
    """A row of READ. ``asked_at``: by the database's clock. ``commit_no``: what this answer counts
    as stored came with this commit or an earlier one; not all of them need have settled."""

    edge: str
    added_at: datetime
    last_heard: datetime | None
    retired_at: datetime | None
    spooled_batches: int
    spooled_bytes: int
    oldest_spooled_at: datetime | None
    in_flight_batches: int
    lost_batches: int
    passed_boots: int
    final_until: datetime | None
    asked_at: datetime
    commit_no: int | None


def parameters(now: datetime) -> dict[str, datetime]:
    """What READ asks for."""
    return {"limit": now - WRITTEN_OFF_AFTER}


class State(StrEnum):
    """``live``; ``silent``: unheard for over 5 s; ``written_off``: for 7 days; ``retired``."""

    LIVE = "live"
    SILENT = "silent"
    WRITTEN_OFF = "written_off"
    RETIRED = "retired"


class HeldBack(msgspec.Struct, frozen=True):
    """What waits in an edge's spool, as of its last heartbeat: batches, the bytes that the spool
    uses, since when the oldest waits."""

    batches: int
    bytes: int
    oldest_at: datetime | None


class EdgeCompleteness(msgspec.Struct, frozen=True):
    """``final_until``: nothing that this edge received before it is still to come.
    ``silent_since``: when it was last heard, if it is not live. ``in_flight_batches``: at the
    primary, not yet stored. ``lost_batches``: acknowledged, and nowhere: they hold up until
    an operator accepts the loss, or retires the edge. ``passed_boots``: workers that ended unseen,
    unheard for seven days."""

    edge: str
    state: State
    final_until: datetime
    silent_since: datetime | None
    held_back: HeldBack
    in_flight_batches: int
    lost_batches: int
    passed_boots: int

    @property
    def is_passed(self) -> bool:
        """Whether completeness goes on without it."""
        return self.state in (State.WRITTEN_OFF, State.RETIRED)


def judge(
    record: Sequence[Any], now: datetime, silent_after: timedelta = SILENT_AFTER
) -> EdgeCompleteness:
    """What a row of READ says of its edge at ``now``."""
    row = Found(*record)
    heard = row.last_heard or row.added_at
    state = _state(row.retired_at, now - heard, silent_after)
    return EdgeCompleteness(
        edge=row.edge,
        state=state,
        final_until=row.final_until or heard,
        silent_since=None if state is State.LIVE else heard,
        held_back=HeldBack(row.spooled_batches, row.spooled_bytes, row.oldest_spooled_at),
        in_flight_batches=row.in_flight_batches,
        lost_batches=row.lost_batches,
        passed_boots=row.passed_boots,
    )


def final_until(edges: Iterable[EdgeCompleteness]) -> datetime | None:
    """Of all edges that are waited for; None where there is none: nothing is to come."""
    return min((edge.final_until for edge in edges if not edge.is_passed), default=None)


def _state(retired_at: datetime | None, silent_for: timedelta, silent_after: timedelta) -> State:
    if retired_at is not None:
        return State.RETIRED
    if silent_for >= WRITTEN_OFF_AFTER:
        return State.WRITTEN_OFF
    return State.SILENT if silent_for > silent_after else State.LIVE
