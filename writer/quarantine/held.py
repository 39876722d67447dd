"""The quarantine as an operator sees it: what is held and why, and letting go of it.

What waits for its day's rows stands in the same table and is no operator's business.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from psycopg import Connection, Cursor
from psycopg.rows import class_row

from writer.ledger.counts import DROPPED, QUARANTINED, WAITING, CountKey, put_counts

HELD, REPLAYED, DISCARDED = "held", "replayed", "discarded"

_GROUPS = """
SELECT reason, site, count(*) AS events, min(received_at) AS first_received,
  max(set_aside_at) AS last_set_aside, min(quarantine_id) AS first_id
FROM quarantine WHERE state = 'held' GROUP BY reason, site ORDER BY events DESC, reason, site
"""
_ONE = """
SELECT quarantine_id, edge, boot, seq, "index" AS nth, site, reason, detail, received_at,
  set_aside_at, state, closed_at, sealed
FROM quarantine WHERE quarantine_id = %s
"""
_FIND = """
SELECT quarantine_id FROM quarantine
WHERE state = 'held' AND (%(reason)s::text IS NULL OR reason = %(reason)s)
ORDER BY quarantine_id
"""
# What is closed is kept as an account only: the captured request itself goes.
_CLOSE = """
UPDATE quarantine q SET state = %s, closed_at = now(),
  sealed = CASE WHEN q."index" IS NULL THEN q.sealed ELSE '' END
FROM (
  SELECT quarantine_id, state FROM quarantine WHERE quarantine_id = %s AND state = ANY(%s)
  FOR UPDATE SKIP LOCKED
) before
WHERE q.quarantine_id = before.quarantine_id
RETURNING q.edge, q.boot, q."index" IS NULL, q.site, q.sealed, before.state
"""
_STRIP = "UPDATE quarantine SET sealed = %s WHERE quarantine_id = %s"
_JUDGE = """
UPDATE quarantine q SET reason = %s, detail = %s, state = 'held', site_id = NULL, day = NULL
FROM (
  SELECT quarantine_id, state FROM quarantine
  WHERE quarantine_id = %s AND state IN ('held', 'waiting') FOR UPDATE
) before
WHERE q.quarantine_id = before.quarantine_id RETURNING q.edge, q.boot, q.site, before.state
"""
_COUNTED_AS = {HELD: QUARANTINED, WAITING: WAITING}


class Group(NamedTuple):
    """What is held for one reason, of one site; the site of a whole entry is not known."""

    reason: str
    site: str
    events: int
    first_received: datetime | None
    last_set_aside: datetime
    first_id: int


class Held(NamedTuple):
    """One row of the quarantine. ``nth``: its place in the batch; None: a whole entry, with
    ``boot`` and ``seq`` as it says itself. ``sealed`` holds no body once it is closed."""

    quarantine_id: int
    edge: str
    boot: int | None
    seq: int | None
    nth: int | None
    site: str
    reason: str
    detail: str
    received_at: datetime | None
    set_aside_at: datetime
    state: str
    closed_at: datetime | None
    sealed: bytes


def read_groups(connection: Connection[Any]) -> list[Group]:
    """What is held, the most first."""
    with connection.cursor(row_factory=class_row(Group)) as cursor:
        return cursor.execute(_GROUPS).fetchall()


def read_held(connection: Connection[Any], quarantine_id: int) -> Held | None:
    """One row, in whatever state."""
    with connection.cursor(row_factory=class_row(Held)) as cursor:
        return cursor.execute(_ONE, (quarantine_id,)).fetchone()


def find_held(connection: Connection[Any], reason: str | None) -> list[int]:
    """The numbers of what is held, for one reason or for any, in the order it came."""
    return [found for (found,) in connection.execute(_FIND, {"reason": reason})]


def close(cursor: Cursor[Any], quarantine_id: int, state: str) -> bool:
    """Close one row in the caller's transaction. False: it is not held, or somebody is at it."""
    from_states = [HELD, WAITING] if state == REPLAYED else [HELD]
    row = cursor.execute(_CLOSE, (state, quarantine_id, from_states)).fetchone()
    if row is None:
        return False
    edge, boot, is_whole, site, sealed, before = row
    if is_whole:
        cursor.execute(_STRIP, (_without_body(sealed), quarantine_id))
    else:
        counts = {CountKey(edge, boot, site.lower(), _COUNTED_AS[before]): -1}
        if state == DISCARDED:
            counts[CountKey(edge, boot, site.lower(), DROPPED + DISCARDED)] = 1
        put_counts(cursor, counts)
    return True


def _without_body(sealed: bytes) -> bytes:
    """An entry's plain fields alone, by which the ledger goes on knowing it."""
    fields = msgspec.msgpack.decode(sealed, type=dict[bytes, bytes])
    fields.pop(b"body", None)
    return msgspec.msgpack.encode(fields)


def judge(connection: Connection[Any], quarantine_id: int, reason: str, detail: str) -> None:
    """It is held, for this reason now; what has waited so far is set aside."""
    with connection.transaction(), connection.cursor() as cursor:
        row = cursor.execute(_JUDGE, (reason, detail, quarantine_id)).fetchone()
        if row is not None and row[3] == WAITING:
            edge, boot, site, _ = row
            at = CountKey(edge, boot, site.lower(), WAITING)
            put_counts(cursor, {at: -1, at._replace(outcome=QUARANTINED): 1})


def discard(connection: Connection[Any], quarantine_ids: Sequence[int]) -> int:
    """Let go of what is held for good; returns how many rows that were."""
    discarded = 0
    for quarantine_id in quarantine_ids:
        with connection.transaction(), connection.cursor() as cursor:
            discarded += close(cursor, quarantine_id, DISCARDED)
    return discarded
