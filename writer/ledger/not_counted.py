"""What edges dropped or refused, by the site's own day on which they told it.

An edge tells only how many since its worker began. What was noted of that stands beside it, in the
same row and changed in the same transaction, so each event is noted once: whoever tells a count
again, late, or to another writer, adds nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from psycopg import Cursor

from writer.known.sites import SiteBook
from writer.known.zones import as_date, day_of

_NEVER = ("dropped:", "refused:")
"""What such an outcome counts never reaches the writer."""

# The counts were put just before, by this transaction, which holds their rows.
_NOTE = """
UPDATE edge_count c SET noted = c.events
FROM (
  SELECT edge, boot, site_digest, outcome, events - noted AS more FROM edge_count
  WHERE edge = %s AND (boot, site_digest, outcome) IN
    (SELECT * FROM unnest(%s::int8[], %s::bytea[], %s::text[]))
    AND events > noted
) told
WHERE (c.edge, c.boot, c.site_digest, c.outcome)
  = (told.edge, told.boot, told.site_digest, told.outcome)
RETURNING c.boot, c.site, c.outcome, told.more
"""
_PUT = """
INSERT INTO not_counted AS n (site_id, day, reason, events)
SELECT * FROM unnest(%s::int4[], %s::date[], %s::text[], %s::int8[])
ON CONFLICT (site_id, day, reason) DO UPDATE SET events = n.events + excluded.events
"""


class Told(NamedTuple):
    """One count of a boot's heartbeat."""

    boot: int
    site_digest: bytes
    outcome: str
    site: str
    events: int


def note_not_counted(
    cursor: Cursor[Any],
    edge: str,
    told: Iterable[Told],
    told_at: Mapping[int, int],
    book: SiteBook,
) -> None:
    """Add what is new of counts that the same transaction has put. ``told_at`` in µs, by boot. Of
    a site that is not known nothing is kept but that it was told."""
    never = [count for count in told if count.outcome.startswith(_NEVER)]
    if not never:
        return
    boots, digests, outcomes, _, _ = zip(*never, strict=True)
    cursor.execute(_NOTE, (edge, list(boots), list(digests), list(outcomes)))
    more: Counter[tuple[int, int, str]] = Counter()
    for boot, key, outcome, events in cursor.fetchall():
        site = book.sites.get(key.lower())
        if site is not None:
            more[site.site_id, day_of(site.zones, told_at[boot]).number, outcome] += events
    if more:
        # In one order, lest two writers wait for each other.
        rows = [(site_id, as_date(day), why, n) for (site_id, day, why), n in sorted(more.items())]
        cursor.execute(_PUT, [list(column) for column in zip(*rows, strict=True)])
