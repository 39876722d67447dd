"""What the database says of edges, losses and what was set aside. Imported on a core host only."""

from datetime import UTC, datetime

import msgspec
from psycopg import Connection

from infrastructure.core_database import core_database
from infrastructure.status.core import Core, EdgeSeen

ANSWER_S = 3.0
_EDGES = """
SELECT e.edge, e.last_heard, now() - e.last_heard > make_interval(secs => %s) AS is_silent,
  e.retired_at IS NOT NULL AS is_retired, e.spooled_batches,
  CASE WHEN e.spooled_batches > 0 THEN e.spooled_bytes ELSE 0 END AS spooled_bytes,
  e.oldest_spooled_at,
  (SELECT coalesce(sum(upper(r) - lower(r)), 0)::bigint
   FROM boot b, unnest(b.lost) r WHERE b.edge = e.edge) AS lost_batches
FROM edge e ORDER BY e.edge
"""
_HELD = "SELECT reason, count(*) FROM quarantine WHERE state = 'held' GROUP BY 1 ORDER BY 1"


def read_core(postgres_url: str, silent_after_s: float) -> Core:
    """Raises Problem where the database stands in the way."""
    with core_database(postgres_url, ANSWER_S) as connection:
        return Core(_edges(connection, silent_after_s), dict(connection.execute(_HELD).fetchall()))


def _edges(connection: Connection[tuple[object, ...]], silent_after_s: float) -> list[EdgeSeen]:
    rows = connection.execute(_EDGES, (silent_after_s,))
    names = EdgeSeen.__struct_fields__
    return [
        msgspec.convert(dict(zip(names, map(_utc, row), strict=True)), EdgeSeen) for row in rows
    ]


def _utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
