"""Two requests with one client id are one event: the least (received_at, event id, ts) stands.

A later one that is stored already goes when an earlier one arrives, in the same transaction;
that holds between browsers and keyed calls too, and where both have one derived event id.
Ids are claimed in one order by every writer, so that two writers wait for, not on, each other.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from writer.database.arrays import instants, int4s, uuids
from writer.encode import Row
from writer.known.zones import moment, us

_CLAIM = """
INSERT INTO client_id (site_id, client_id, received_at, event_id, ts)
SELECT * FROM unnest(%b::int4[], %b::uuid[], %b::timestamptz[], %b::uuid[], %b::timestamptz[])
ON CONFLICT DO NOTHING
"""
_OTHERS = """
SELECT c.site_id, c.client_id, c.received_at, c.event_id, c.ts
FROM unnest(%b::int4[], %b::uuid[], %b::timestamptz[], %b::uuid[], %b::timestamptz[])
  AS wanted (site_id, client_id, received_at, event_id, ts)
JOIN client_id c USING (site_id, client_id)
WHERE (c.received_at, c.event_id, c.ts) <> (wanted.received_at, wanted.event_id, wanted.ts)
ORDER BY c.site_id, c.client_id
FOR UPDATE OF c
"""
_TAKE_OVER = """
UPDATE client_id SET received_at = %s, event_id = %s, ts = %s, claimed_at = now()
WHERE site_id = %s AND client_id = %s
"""
_END = """
UPDATE events SET commit_out = %s
WHERE site_id = %s AND ts = %s AND event_id = %s AND commit_out IS NULL
"""

_Key = int
"""Site and client id in one number: what is sorted for every commit should compare at once."""

_CLIENT_ID = (1 << 128) - 1


def _key(site_id: int, client_id: UUID) -> _Key:
    return site_id << 128 | client_id.int


class Loser(NamedTuple):
    """A request that does not stand, and whose receipt is not that of the one which does."""

    event_id: int
    site_id: int
    client_id: int
    received_at: int


class Claims(NamedTuple):
    """``rows``: those that stand. ``gone_ts``: when the rows happened whose place they took.
    ``replacing``: those that took it."""

    rows: list[Row]
    gone_ts: list[int]
    replacing: list[Row]
    losers: list[Loser]


def claim(cursor: Cursor[Any], rows: Sequence[Row], commit_no: int) -> Claims:
    """Decide which of some new rows stand, and end those stored before that do not."""
    free = [row for row in rows if row.draft.client_id is None]
    claimants = _least_of_each(rows)
    others = _claim(cursor, claimants) if claimants else []
    if not others and len(free) + len(claimants) == len(rows):
        return Claims([*free, *claimants.values()], [], [], [])
    gone: list[_Standing] = []
    replacing: list[Row] = []
    stands = {key: row.draft.event_id for key, row in claimants.items()}
    for other in others:
        row = claimants[other.key]
        if _order(row) < other.order:
            _take_over(cursor, row, other, commit_no)
            gone.append(other)
            replacing.append(row)
        else:
            stands[other.key] = other.event_id.int
            del claimants[other.key]
    losers = [*map(_loser, rows), *(other.as_loser for other in gone)] if stands else []
    return Claims(
        [*free, *claimants.values()],
        [us(other.ts) for other in gone],
        replacing,
        [
            one
            for one in losers
            if one and one.event_id != stands[one.site_id << 128 | one.client_id]
        ],
    )


def _loser(row: Row) -> Loser | None:
    """What a row would be remembered as if it does not stand."""
    draft = row.draft
    if draft.client_id is None:
        return None
    return Loser(draft.event_id, draft.site_id, draft.client_id.int, draft.received_at)


def _least_of_each(rows: Sequence[Row]) -> dict[_Key, Row]:
    """The first request of each id within a read, in the order that all writers keep."""
    least: dict[_Key, Row] = {}
    for row in rows:
        client_id = row.draft.client_id
        if client_id is not None:
            key = _key(row.draft.site_id, client_id)
            known = least.get(key)
            if known is None or _order(row) < _order(known):
                least[key] = row
    return {key: least[key] for key in sorted(least)}


def _order(row: Row) -> tuple[int, int, int]:
    return row.draft.received_at, row.draft.event_id, row.draft.ts


class _Standing(NamedTuple):
    site_id: int
    client_id: UUID
    received_at: datetime
    event_id: UUID
    ts: datetime

    @property
    def key(self) -> _Key:
        return _key(self.site_id, self.client_id)

    @property
    def order(self) -> tuple[int, int, int]:
        return us(self.received_at), self.event_id.int, us(self.ts)

    @property
    def as_loser(self) -> Loser:
        return Loser(self.event_id.int, self.site_id, self.client_id.int, us(self.received_at))


def _claim(cursor: Cursor[Any], claimants: dict[_Key, Row]) -> list[_Standing]:
    drafts = [row.draft for row in claimants.values()]
    sites = int4s([draft.site_id for draft in drafts])
    clients = uuids([key & _CLIENT_ID for key in claimants])
    events = uuids([draft.event_id for draft in drafts])
    received = instants([draft.received_at for draft in drafts])
    wanted = (sites, clients, received, events, instants([draft.ts for draft in drafts]))
    cursor.execute(_CLAIM, wanted)
    if cursor.rowcount == len(claimants):
        return []
    cursor.execute(_OTHERS, wanted)
    return [_Standing(*row) for row in cursor.fetchall()]


def _take_over(cursor: Cursor[Any], row: Row, other: _Standing, commit_no: int) -> None:
    draft = row.draft
    values = (moment(draft.received_at), UUID(int=draft.event_id), moment(draft.ts))
    cursor.execute(_TAKE_OVER, (*values, other.site_id, other.client_id))
    cursor.execute(_END, (commit_no, other.site_id, other.ts, other.event_id))
