"""Event ids, which are the receipts that clients get back.

A UUIDv8 (RFC 9562) of 128 bits::

    boot (48) | version 8 (4) | seq high (12)
    variant (2) | kind (2) | 0 (16) | seq low (28) | index (16)

``kind`` is 0 for an id counted by the edge (boot, seq, index) and 1 for one derived from
(site, client id), whose remaining bits are a digest. Ids of one boot sort by (seq, index).
"""

from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

import msgspec

MAX_BOOT = (1 << 48) - 1
MAX_SEQ = (1 << 40) - 1
MAX_INDEX = (1 << 16) - 1

_VERSION = 8 << 76
_VARIANT = 0b10 << 62
_DERIVED = 0b01 << 60
_FIXED_BITS = (0xF << 76) | (0b1111 << 60)


class Place(msgspec.Struct, frozen=True, order=True):
    """Where the edge counted an event: ``boot`` of 48 bits, ``seq`` from 1, ``index`` from 0."""

    boot: int
    seq: int
    index: int


def counted(boot: int, seq: int, index: int) -> int:
    """The id, as a 128-bit integer, of the event at (boot, seq, index)."""
    high = (boot << 80) | _VERSION | ((seq >> 28) << 64)
    return high | _VARIANT | ((seq & 0xFFFFFFF) << 16) | index


def counted_text(boot: int, seq: int, index: int) -> str:
    """The id at (boot, seq, index) in the usual form: all of a batch begin alike."""
    return f"{_beginning(boot, seq)}{index:04x}"


@lru_cache(maxsize=16)
def _beginning(boot: int, seq: int) -> str:
    return text(counted(boot, seq, 0))[:-4]


def derived(site: str, client_id: UUID) -> int:
    """The id of a keyed event that carries its own ``id`` and ``ts``: the same at every retry."""
    digest = blake2b(
        client_id.bytes + site.encode(), digest_size=16, person=b"millrace-event"
    ).digest()
    return (int.from_bytes(digest) & ~_FIXED_BITS) | _VERSION | _VARIANT | _DERIVED


def place(event_id: UUID) -> Place | None:
    """(boot, seq, index) of a counted id; None for a derived id or one that is not ours."""
    number = event_id.int
    if number & _FIXED_BITS != _VERSION | _VARIANT or (number >> 44) & 0xFFFF:
        return None
    seq = (((number >> 64) & 0xFFF) << 28) | ((number >> 16) & 0xFFFFFFF)
    return Place(number >> 80, seq, number & MAX_INDEX)


def text(number: int) -> str:
    """The usual 36-character form, without the cost of a UUID object."""
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
