"""Which events do not stand, and why: so that each receipt can be traced."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from psycopg import Cursor

from writer.client_ids import Loser
from writer.database.arrays import instants, int4s, uuids
from writer.enrich.pipeline import Left

DUPLICATE = "duplicate"

# A derived event id may be left out again and again; the last word counts.
_PUT = """
INSERT INTO left_out (event_id, site_id, reason, client_id, received_at, commit_no)
SELECT event_id, site_id, reason, nullif(client_id, '00000000-0000-0000-0000-000000000000'),
  received_at, %s
FROM unnest(%b::uuid[], %b::int4[], %s::text[], %b::uuid[], %b::timestamptz[])
  AS l (event_id, site_id, reason, client_id, received_at)
ON CONFLICT (event_id) DO UPDATE SET
  reason = excluded.reason, client_id = excluded.client_id,
  received_at = excluded.received_at, commit_no = excluded.commit_no, noted_at = now()
"""


class _Note(NamedTuple):
    event_id: int
    site_id: int
    reason: str
    client_id: int
    received_at: int


def put_left_out(
    cursor: Cursor[Any], losers: Iterable[Loser], dropped: Iterable[Left], commit_no: int
) -> None:
    """Write down a commit's duplicates and drops, each receipt once."""
    notes = {
        loser.event_id: _Note(loser[0], loser[1], DUPLICATE, loser[2], loser[3]) for loser in losers
    }
    for draft, why in dropped:
        notes[draft.event_id] = _Note(
            draft.event_id, draft.site_id, why.reason, 0, draft.received_at
        )
    if not notes:
        return
    # In one order, for two writers.
    ordered = [notes[event_id] for event_id in sorted(notes)]
    cursor.execute(
        _PUT,
        (
            commit_no,
            uuids([note.event_id for note in ordered]),
            int4s([note.site_id for note in ordered]),
            [note.reason for note in ordered],
            uuids([note.client_id for note in ordered]),
            instants([note.received_at for note in ordered]),
        ),
    )
