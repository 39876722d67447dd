"""What became of each boot's events, counted in the transaction that decided it.

Of the requests that are one event, one is counted as stored and the others as duplicate; one that
takes the place of another is a duplicate itself, because the place was counted when it was first
taken. So nothing ever moves from one boot's count to another's.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from psycopg import Cursor

from writer.decode import Unfit
from writer.encode import Row
from writer.enrich.pipeline import Left

STORED, DUPLICATE, QUARANTINED = "stored", "duplicate", "quarantined"
DROPPED = "dropped:"
"""Before the reason."""

_PUT = """
INSERT INTO ledger_count AS c (edge, boot, site_digest, outcome, site, events)
SELECT * FROM unnest(%b::text[], %b::int8[], %b::bytea[], %b::text[], %b::text[], %b::int8[])
ON CONFLICT (edge, boot, site_digest, outcome) DO UPDATE SET events = c.events + excluded.events
"""


class CountKey(NamedTuple):
    """``site``: as beacons call it, in lower case; empty where that is not known."""

    edge: str
    boot: int
    site: str
    outcome: str


class Decided(NamedTuple):
    """What became of the events of one new batch, ``n`` of them by its own count."""

    edge: str
    boot: int
    n: int
    rows: Sequence[Row]
    dropped: Sequence[Left]
    unfit: Sequence[Unfit]


def count_read(
    batches: Iterable[Decided], new: Iterable[Row], refused: Iterable[Unfit]
) -> Counter[CountKey]:
    """The counts of a read. ``new``: rows that were stored and took no other's place;
    ``refused``: rows that the database did not take."""
    counts: Counter[CountKey] = Counter()
    for edge, boot, n, rows, dropped, unfit in batches:
        sites = Counter([row.draft.site for row in rows])
        for site, events in sites.items():
            counts[CountKey(edge, boot, site, DUPLICATE)] += events
        for left in dropped:
            counts[CountKey(edge, boot, left.draft.site, DROPPED + left.why.reason)] += 1
        rest = n - len(rows) - len(dropped)
        if rest:
            # What could not be read is one envelope to the quarantine, however many events.
            site = unfit[0].origin.envelope.site.lower() if unfit else ""
            counts[CountKey(edge, boot, site, QUARANTINED)] += rest - len(unfit)
        for event in unfit:
            counts[_of(event, QUARANTINED)] += 1
    stored = Counter(
        [(row.draft.header.boot, row.draft.header.edge, row.draft.site) for row in new]
    )
    for (boot, edge, site), events in stored.items():
        counts[CountKey(edge, boot, site, STORED)] += events
        counts[CountKey(edge, boot, site, DUPLICATE)] -= events
    for event in refused:
        counts[_of(event, QUARANTINED)] += 1
        counts[_of(event, DUPLICATE)] -= 1
    return counts


def put_counts(cursor: Cursor[Any], counts: Mapping[CountKey, int]) -> None:
    """Add to what is counted. The last statement but the commit's own: its locks are waited for
    by other writers. In one order, so that none waits in a ring."""
    found = [(*_key(key), events) for key, events in counts.items() if events]
    if found:
        cursor.execute(_PUT, [list(column) for column in zip(*sorted(found), strict=True)])


def site_digest(site: str) -> bytes:
    """What a site is known by in an index: no index holds client text."""
    return blake2b(site.encode("utf-8", "replace"), digest_size=16).digest()


def _of(event: Unfit, outcome: str) -> CountKey:
    origin = event.origin
    return CountKey(origin.edge, origin.boot, origin.envelope.site.lower(), outcome)


def _key(key: CountKey) -> tuple[str, int, bytes, str, str]:
    site = key.site.replace("\0", "\ufffd")
    return key.edge, key.boot, site_digest(site), key.outcome, site
