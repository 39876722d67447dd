"""What could not become an event is kept, sealed, with the reason, where somebody can look.

An event is kept as its envelope alone, sealed anew to the writer's own newest key; an entry
that does not open as it came.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from nacl.public import PrivateKey, SealedBox
from psycopg import Cursor

from shared.batch import DamagedBatch, read_header
from shared.envelope import Envelope
from shared.receipt import MAX_BOOT, MAX_SEQ
from writer.decode import Unfit
from writer.draft import Origin
from writer.encode import Row
from writer.known.zones import as_date, moment

WAITS = "waits_for_its_day"

_PUT_WAITING = """
INSERT INTO quarantine
  (edge, boot, seq, index, site, reason, received_at, sealed, commit_no, state, site_id, day)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'waiting', %s, %s)
"""
_PUT = """
INSERT INTO quarantine
  (edge, boot, seq, index, site, reason, detail, received_at, sealed, digest, commit_no)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (edge, digest) DO NOTHING
"""


class Damaged(NamedTuple):
    """A stream entry that cannot be believed; ``detail`` holds nothing a client wrote."""

    edge: str
    fields: Mapping[bytes, bytes]
    reason: str
    detail: str


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """``key``: id of the key it is sealed to. ``box``: the sealed msgpack of the envelope."""

    key: str
    box: bytes


class Quarantine:
    """Seals what is set aside and writes it down within a commit."""

    def __init__(self, private_keys: Mapping[str, PrivateKey]) -> None:
        self._private_keys = private_keys

    def put_events(self, cursor: Cursor[Any], unfit: list[Unfit], commit_no: int) -> None:
        """Set single events aside."""
        if unfit:
            cursor.executemany(_PUT, [self._event_row(event, commit_no) for event in unfit])

    def put_waiting(self, cursor: Cursor[Any], rows: list[Row], commit_no: int) -> None:
        """Keep events whose day's rows are in the archive alone, until they are back."""
        if rows:
            values = [self._waiting_row(row, commit_no) for row in rows]
            cursor.executemany(_PUT_WAITING, values)

    def put_entries(self, cursor: Cursor[Any], damaged: list[Damaged], commit_no: int) -> None:
        """Set whole entries aside; one that is there already is not kept twice."""
        if damaged:
            cursor.executemany(_PUT, [_entry_row(entry, commit_no) for entry in damaged])

    def open(self, sealed: bytes) -> Envelope:
        """The envelope of an event that was set aside. Raises KeyError, CryptoError."""
        kept = msgspec.msgpack.decode(sealed, type=Kept)
        packed = SealedBox(self._private_keys[kept.key]).decrypt(kept.box)
        return msgspec.msgpack.decode(packed, type=Envelope)

    def _event_row(self, unfit: Unfit, commit_no: int) -> tuple[object, ...]:
        origin, why = unfit
        return (
            origin.edge,
            origin.boot,
            origin.seq,
            origin.nth,
            storable(origin.envelope.site),
            why.reason,
            storable(why.detail),
            moment(origin.envelope.received_at),
            self._seal(origin),
            None,
            commit_no,
        )

    def _waiting_row(self, row: Row, commit_no: int) -> tuple[object, ...]:
        draft, origin = row.draft, row.draft.origin
        return (
            *origin[:4],
            storable(origin.envelope.site),
            WAITS,
            moment(origin.envelope.received_at),
            self._seal(origin),
            commit_no,
            draft.site_id,
            as_date(draft.day),
        )

    def _seal(self, origin: Origin) -> bytes:
        alone = msgspec.structs.replace(origin.envelope, first=origin.nth, taken=[origin.taken])
        key_id, newest = next(iter(self._private_keys.items()))
        box = SealedBox(newest.public_key).encrypt(msgspec.msgpack.encode(alone))
        return msgspec.msgpack.encode(Kept(key_id, box))


def _entry_row(entry: Damaged, commit_no: int) -> tuple[object, ...]:
    packed = msgspec.msgpack.encode(dict(entry.fields))
    digest = blake2b(packed, digest_size=16).digest()
    detail = storable(entry.detail)
    boot, seq = _claimed_number(entry)
    return (
        entry.edge, boot, seq, None, "", entry.reason, detail, None, packed, digest, commit_no
    )  # fmt: skip


def _claimed_number(entry: Damaged) -> tuple[int, int] | tuple[None, None]:
    """Which batch an entry says it is: good enough to find it by, and proven by nothing."""
    try:
        header = read_header(entry.fields)
    except DamagedBatch:
        return None, None
    sound = 0 <= header.boot <= MAX_BOOT and 0 < header.seq <= MAX_SEQ
    return (header.boot, header.seq) if sound else (None, None)


def storable(text: str) -> str:
    """PostgreSQL keeps no NUL in a text."""
    return text.replace("\0", "\ufffd")
