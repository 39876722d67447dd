"""What was set aside, tried again after a fix: stored once and closed in the same transaction.

An event goes through the very steps of a fresh one, in a batch that has its number and, in the
places of its neighbours, nothing; so its receipt stays. It passes the ledger of batches, which
knows that number; a whole entry, whose number the ledger may not know, does not.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey
from psycopg import Connection

from shared.batch import UNKNOWN_KEY, UNSEALABLE, VERSION, Header, seal
from shared.beacon_reader import MAX_EVENTS
from shared.envelope import Envelope, Headers
from writer.apart import MAX_DELIVERIES, POISON, Preparing
from writer.database.connection import DataRefused
from writer.enrich.retention import REASON
from writer.ledger.counts import WAITING
from writer.prepare import Entry
from writer.quarantine.held import HELD, Held, judge, read_held
from writer.quarantine.keeping import Quarantine, storable
from writer.store import REFUSED, Batch, Outcome, Read, Store

log = logging.getLogger("writer")

_NO_PROTOCOL = 0


class Became(StrEnum):
    """What a replay did to one row of the quarantine, or to one event of a whole entry."""

    STORED = "stored"
    HELD_AGAIN = "held again"
    """An event of an entry that opens now: set aside alone, as any that comes."""
    DROPPED = "dropped"
    DUPLICATE = "duplicate"
    KNOWN = "stored before"
    """A whole entry whose batch has arrived sound."""
    WAITING = "waits for its day"
    """Its day's rows are put back from the archive first."""
    HELD = "still held"
    CLOSED = "not held"


class Event(NamedTuple):
    """What became of one event. ``why``: the reason where it is held, or was dropped."""

    became: Became
    why: str = ""


class Replayed(NamedTuple):
    """``became``: of the row, the first word in their order that is true of one of its events.
    ``events``: how many became what; what was not opened counts as one."""

    became: Became
    events: Counter[Event]


class Replay:
    """Works on its own connection, preparer and store. Not for two threads at once."""

    def __init__(
        self,
        connection: Connection[Any],
        private_keys: Mapping[str, PrivateKey],
        preparer: Preparing,
        store: Store,
    ) -> None:
        self._connection = connection
        self._quarantine = Quarantine(private_keys)
        self._key_id, newest = next(iter(private_keys.items()))
        self._public_key = newest.public_key
        self._preparer = preparer
        self._store = store

    def replay(self, quarantine_id: int) -> Replayed:
        """Try one row again. Raises Unavailable; then it is still held, or it is done."""
        held = read_held(self._connection, quarantine_id)
        if held is None or held.state not in (HELD, WAITING):
            return _alone(Became.CLOSED)
        try:
            entry = self._entry(held)
        except KeyError:
            return self._keep(held, UNKNOWN_KEY, "sealed to a key that the writer lacks")
        except (CryptoError, msgspec.MsgspecError) as error:
            return self._keep(held, UNSEALABLE, type(error).__name__)
        return self._put(held, self._preparer.prepare([entry]))

    def _put(self, held: Held, read: Read) -> Replayed:
        for damaged in read.damaged:
            return self._keep(held, damaged.reason, damaged.detail)
        [batch] = read.batches
        if held.nth is not None:
            batch = _only(batch, held.nth)
            for event in batch.unfit:
                return self._keep(held, event.why.reason, event.why.detail)
        is_whole = held.nth is None
        try:
            outcome = self._store.put_again(batch, held.quarantine_id, is_whole=is_whole)
        except DataRefused as error:
            log.warning("the database refuses number %d of the quarantine", held.quarantine_id)
            return self._keep(held, REFUSED, error.sqlstate)
        if outcome is None:
            return _alone(Became.CLOSED)
        if is_whole and not outcome.new_batches:
            return _alone(Became.KNOWN)
        return _of(outcome, batch)

    def _keep(self, held: Held, reason: str, detail: str) -> Replayed:
        judge(self._connection, held.quarantine_id, reason, storable(detail))
        return _alone(Became.HELD, reason)

    def _entry(self, held: Held) -> Entry:
        """Raises KeyError, CryptoError, MsgspecError."""
        name = b"quarantine-%d" % held.quarantine_id
        if held.nth is None:
            fields = msgspec.msgpack.decode(held.sealed, type=dict[bytes, bytes])
            # What has ended a writer must not end the operator's process, or somebody's writer.
            deliveries = MAX_DELIVERIES + 1 if held.reason == POISON else 1
            return Entry(held.edge, name, fields, deliveries)
        assert held.boot is not None
        assert held.seq is not None
        alone = self._quarantine.open(held.sealed)
        header = Header(VERSION, self._key_id, held.edge, held.boot, held.seq, held.nth + 1, low=0)
        sealed = seal(header, [*_nothing(held.nth, alone.received_at), alone], self._public_key)
        return Entry(held.edge, name, {key.encode(): value for key, value in sealed.items()})


def _alone(became: Became, why: str = "") -> Replayed:
    return Replayed(became, Counter([Event(became, why)]))


def _of(outcome: Outcome, batch: Batch) -> Replayed:
    dropped = Counter(left.why.reason for left in batch.dropped)
    # Their day has gone: that is found out while they are stored.
    dropped[REASON] += outcome.dropped - dropped.total()
    counts = {
        Event(Became.STORED): outcome.stored,
        **{Event(Became.HELD_AGAIN, why): n for why, n in outcome.quarantined.items()},
        **{Event(Became.DROPPED, why): n for why, n in dropped.items()},
        Event(Became.DUPLICATE): outcome.duplicate,
        Event(Became.WAITING): outcome.waiting,
    }
    events = Counter({event: n for event, n in counts.items() if n})
    return Replayed(next(iter(events)).became, events) if events else _alone(Became.STORED)


def _nothing(places: int, received_at: int) -> Iterator[Envelope]:
    """Envelopes that take up the places before an event, and hold none."""
    for first in range(0, places, MAX_EVENTS):
        taken = list(range(min(MAX_EVENTS, places - first)))
        yield Envelope(received_at, _NO_PROTOCOL, "", "", None, False, Headers(), first, taken, b"")


def _only(batch: Batch, index: int) -> Batch:
    return batch._replace(
        n=1,
        rows=[row for row in batch.rows if row.draft.origin.nth == index],
        dropped=[left for left in batch.dropped if left.draft.origin.nth == index],
        unfit=[event for event in batch.unfit if event.origin.nth == index],
    )
