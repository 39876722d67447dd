"""Folds the rows of stored batches into ranges, one boot a transaction, and finds what is lost.

Only numbers at or below ``low`` are folded: everything about them is known by then. Short
transactions, because a long one would hold the settled commit back.
"""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from psycopg import Connection
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from shared.batch import MAX_EVENTS, DamagedBatch, Header, read_header
from shared.metrics import LEDGER_EDGE_HEARD, LEDGER_LOST_BATCHES

log = logging.getLogger("writer")

Ranges = Multirange[int]

_AT_ONCE = 5_000
_TO_FOLD = """
SELECT edge, boot FROM boot b
WHERE EXISTS (SELECT FROM batch s WHERE s.edge = b.edge AND s.boot = b.boot AND s.seq <= b.low)
ORDER BY edge, boot
"""
_LOCK = "SELECT FROM boot WHERE edge = %s AND boot = %s FOR UPDATE SKIP LOCKED"
_FOLD = """
WITH gone AS (
  DELETE FROM batch WHERE (edge, boot, seq) IN (
    SELECT s.edge, s.boot, s.seq FROM batch s JOIN boot b USING (edge, boot)
    WHERE s.edge = %(edge)s AND s.boot = %(boot)s AND s.seq <= b.low ORDER BY s.seq LIMIT %(most)s)
  RETURNING edge, boot, seq, n
), summed AS (
  SELECT range_agg(int8range(g.seq, g.seq + 1)) AS numbers, sum(g.n) AS events,
    coalesce(sum(g.n) FILTER (WHERE g.seq > b.counted_to OR b.void @> g.seq), 0) AS uncounted,
    count(*) AS batches
  FROM gone g JOIN boot b USING (edge, boot)
)
UPDATE boot SET stored = stored + s.numbers, folded_events = folded_events + s.events,
  uncounted_events = uncounted_events + s.uncounted
FROM summed s WHERE edge = %(edge)s AND boot = %(boot)s AND s.batches > 0
RETURNING s.batches
"""

HOLES = """
SELECT edge, boot, low, lost, holes FROM (
  SELECT edge, boot, low, lost, int8multirange(int8range(1, low + 1)) - stored - void - aside
    - accepted - coalesce((SELECT range_agg(int8range(seq, seq + 1)) FROM batch s
        WHERE s.edge = b.edge AND s.boot = b.boot AND s.seq <= b.low), '{}') AS holes
  FROM boot b WHERE lost <> '{}' OR NOT (stored + void + aside + accepted)
    @> int8range(1, low + 1)
) found WHERE lost <> '{}' OR NOT isempty(holes)
"""
"""Every boot with numbers at or below ``low`` that are neither stored, void, set aside nor
accepted as lost."""
_ENTRIES_ASIDE = """
SELECT sealed FROM quarantine WHERE edge = %s AND digest IS NOT NULL
  AND (state = 'discarded') = coalesce(%s, state = 'discarded') ORDER BY quarantine_id
"""
_PUT_ASIDE = """
UPDATE boot SET aside = aside + %s::int8multirange WHERE edge = %s AND boot = %s
"""
_COMPARE_LOST = """
SELECT %s::int8multirange - aside - accepted, lost FROM boot WHERE edge = %s AND boot = %s
"""
_PUT_LOST = "UPDATE boot SET lost = %s::int8multirange WHERE edge = %s AND boot = %s"
_EDGES = """
SELECT edge, coalesce((SELECT sum(upper(part) - lower(part)) FROM boot b, unnest(b.lost) AS part
  WHERE b.edge = e.edge), 0)::bigint,
  extract(epoch FROM coalesce(last_heard, added_at))::float8, retired_at IS NOT NULL
FROM edge e
"""


class Hole(NamedTuple):
    """Numbers at or below ``low`` of which the database knows nothing; ``lost``: those known to
    be nowhere else."""

    edge: str
    boot: int
    low: int
    lost: Ranges
    numbers: Ranges


def fold_batches(connection: Connection[Any]) -> int:
    """Fold what is due on an autocommit connection; returns how many batches."""
    folded = 0
    for edge, boot in connection.execute(_TO_FOLD).fetchall():
        while batches := _fold_some(connection, edge, boot):
            folded += batches
    return folded


def _fold_some(connection: Connection[Any], edge: str, boot: int) -> int:
    with connection.transaction():
        # The row stays as it is while it is summed up by; a fold of another writer goes first.
        if connection.execute(_LOCK, (edge, boot)).fetchone() is None:
            return 0
        values = {"edge": edge, "boot": boot, "most": _AT_ONCE}
        row = connection.execute(_FOLD, values).fetchone()
        return int(row[0]) if row else 0


def read_holes(connection: Connection[Any]) -> list[Hole]:
    """Every hole, and every boot that was said to have lost something."""
    return [Hole(*row) for row in connection.execute(HOLES)]


def read_asides(
    connection: Connection[Any], edge: str, *, are_discarded: bool | None = None
) -> list[Header]:
    """What the plain headers of the entries set aside whole say: all, or only those that an
    operator has discarded, or has not. Nobody has proven them; they excuse a hole, because the
    damage was noticed and is counted. ``n`` is 0 where no batch has so many events."""
    found: list[Header] = []
    for (sealed,) in connection.execute(_ENTRIES_ASIDE, (edge, are_discarded)):
        try:
            header = read_header(msgspec.msgpack.decode(sealed, type=dict[bytes, bytes]))
        except (msgspec.MsgspecError, DamagedBatch, ValueError):
            continue
        if 0 < header.seq < 2**62 and 0 <= header.boot < 2**48:
            is_sound = 0 <= header.n <= MAX_EVENTS
            found.append(header if is_sound else msgspec.structs.replace(header, n=0))
    return found


def up_to(hole: Hole, low: int) -> Hole:
    """The part of a hole at or below a number."""
    parts = [
        Range(_lower(part), min(_upper(part), low + 1))
        for part in hole.numbers
        if _lower(part) <= low
    ]
    return hole._replace(numbers=Multirange(parts))


def settle_holes(connection: Connection[Any], edge: str, holes: Sequence[Hole]) -> None:
    """Holes of one edge that its stream cannot fill any more: set aside whole, or lost. Each lost
    number is said once, and is no longer lost when it lands after all."""
    asides = read_asides(connection, edge) if any(hole.numbers for hole in holes) else []
    for hole in holes:
        aside = {h.seq for h in asides if h.boot == hole.boot and _has(hole.numbers, h.seq)}
        if aside:
            numbers = "{" + ",".join(f"[{seq},{seq}]" for seq in sorted(aside)) + "}"
            connection.execute(_PUT_ASIDE, (numbers, edge, hole.boot))
        _put_lost(connection, edge, hole)


def _put_lost(connection: Connection[Any], edge: str, hole: Hole) -> None:
    row = connection.execute(_COMPARE_LOST, (hole.numbers, edge, hole.boot)).fetchone()
    if row is None or row[0] == row[1]:
        return
    lost, known = row
    connection.execute(_PUT_LOST, (lost, edge, hole.boot))
    if any(not _covers(known, part) for part in lost):
        log.error(
            "acknowledged batches are lost: edge %s, boot %012x, numbers %s",
            edge, hole.boot, numbers_of(lost),
        )  # fmt: skip


def show_edges(connection: Connection[Any]) -> None:
    """The metrics of each edge, as the database knows it."""
    for edge, batches, heard, is_retired in connection.execute(_EDGES):
        LEDGER_LOST_BATCHES.labels(edge).set(batches)
        if is_retired:
            LEDGER_EDGE_HEARD.remove(edge)
        else:
            LEDGER_EDGE_HEARD.labels(edge).set(heard)


def numbers_of(ranges: Ranges) -> str:
    """For people: ``3, 7-9``."""
    return ", ".join(
        str(_lower(part))
        if _upper(part) - _lower(part) == 1
        else f"{_lower(part)}-{_upper(part) - 1}"
        for part in ranges
    )


def _has(ranges: Ranges, number: int) -> bool:
    return any(_lower(part) <= number < _upper(part) for part in ranges)


def _covers(ranges: Ranges, part: Range[int]) -> bool:
    return any(_lower(r) <= _lower(part) and _upper(part) <= _upper(r) for r in ranges)


def _lower(part: Range[int]) -> int:
    assert part.lower is not None
    return part.lower


def _upper(part: Range[int]) -> int:
    assert part.upper is not None
    return part.upper
