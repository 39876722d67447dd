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
WAITING = "waiting"
"""In flight: such an event is stored once its day's rows are back from the archive."""
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
    waiting: Sequence[Row] = ()


def count_read(
    batches: Iterable[Decided], new: Sequence[Row], refused: Sequence[Unfit]
) -> Counter[CountKey]:
    """The counts of a read. ``new``: rows that were stored and took no other's place;
    ``refused``: rows that the database did not take."""
    counts: Counter[CountKey] = Counter()
    rows = 0
    for batch in batches:
        rows += len(batch.rows)
        _count_batch(counts, batch)
    if len(new) < rows:
        _count_duplicates(counts, new)
    for event in refused:
        counts[_of(event, QUARANTINED)] += 1
        counts[_of(event, DUPLICATE)] -= 1
    return counts


def _count_batch(counts: Counter[CountKey], batch: Decided) -> None:
    """All its rows as stored."""
    edge, boot, n, rows, dropped, unfit, waiting = batch
    for site, events in Counter([row.draft.site for row in rows]).items():
        counts[CountKey(edge, boot, site, STORED)] += events
    for left in dropped:
        counts[CountKey(edge, boot, left.draft.site, DROPPED + left.why.reason)] += 1
    for event in unfit:
        counts[_of(event, QUARANTINED)] += 1
    for row in waiting:
        counts[CountKey(edge, boot, row.draft.envelope.site.lower(), WAITING)] += 1
    told_apart = len(rows) + len(dropped) + len(unfit) + len(waiting)
    if told_apart < n:
        # What the reader could not tell apart went to the quarantine with the rest of it.
        site = unfit[0].origin.envelope.site.lower() if unfit else ""
        counts[CountKey(edge, boot, site, QUARANTINED)] += n - told_apart


def _count_duplicates(counts: Counter[CountKey], new: Sequence[Row]) -> None:
    """Take back what was counted as stored and is not new."""
    stored = Counter([(*row.draft.origin[:2], row.draft.site) for row in new])
    for key in [key for key in counts if key.outcome == STORED]:
        again = counts[key] - stored[key.edge, key.boot, key.site]
        counts[key] -= again
        counts[key._replace(outcome=DUPLICATE)] += again


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
