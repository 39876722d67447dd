"""Accepting a loss: an operator has looked into it, and what is gone stays gone.

The equation counts it in a column of its own from then on, the alert goes quiet, and completeness
passes it and names when it was received. Who accepted what, and when, is kept. A number that lands
after all is stored like any other.
"""

from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from writer.ledger.fold import Ranges

# The boot's row is locked first, so that a look for losses meanwhile reads what is accepted. All
# that was received before final_until is stored, and nothing before low_time lies above low.
_ACCEPT = """
WITH found AS (
  SELECT b.edge, b.boot, b.lost, coalesce(b.final_until, e.added_at) AS since,
    coalesce(b.low_time, b.last_heard, now()) AS until
  FROM boot b JOIN edge e USING (edge)
  WHERE b.edge = %(edge)s AND b.boot = %(boot)s AND b.lost = %(numbers)s::int8multirange
  FOR UPDATE OF b
), put AS (
  UPDATE boot b SET accepted = b.accepted + f.lost, lost = '{}',
    accepted_events = accepted_events + %(events)s
  FROM found f WHERE b.edge = f.edge AND b.boot = f.boot
)
INSERT INTO accepted_loss
  (edge, boot, numbers, batches, events, since, until, accepted_by, note)
SELECT edge, boot, lost, (SELECT sum(upper(r) - lower(r)) FROM unnest(lost) r), %(events)s,
  least(since, until), until, %(by)s, %(note)s
FROM found
RETURNING edge, boot, numbers, batches, events, since, until, accepted_at, accepted_by, note
"""
_READ = """
SELECT edge, boot, numbers, batches, events, since, until, accepted_at, accepted_by, note
FROM accepted_loss WHERE edge = %s ORDER BY loss_id
"""


class AcceptedLoss(NamedTuple):
    """``numbers`` of a boot, received between ``since`` and ``until``. ``events``: as the edge
    had counted them; 0 where it ended before it could tell."""

    edge: str
    boot: int
    numbers: Ranges
    batches: int
    events: int
    since: datetime
    until: datetime
    accepted_at: datetime
    accepted_by: str
    note: str


def accept_loss(
    connection: Connection[Any], edge: str, boot: int, numbers: Ranges, events: int,
    by: str, note: str,
) -> AcceptedLoss | None:  # fmt: skip
    """Accept what a boot has lost; None where that is something else than ``numbers`` by now."""
    values = {
        "edge": edge, "boot": boot, "numbers": numbers, "events": events, "by": by, "note": note
    }  # fmt: skip
    with connection.transaction(), connection.cursor(row_factory=class_row(AcceptedLoss)) as cursor:
        return cursor.execute(_ACCEPT, values).fetchone()


def read_accepted(connection: Connection[Any], edge: str) -> list[AcceptedLoss]:
    """Every loss of an edge that was accepted, oldest first."""
    with connection.cursor(row_factory=class_row(AcceptedLoss)) as cursor:
        return cursor.execute(_READ, (edge,)).fetchall()
