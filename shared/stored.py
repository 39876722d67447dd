"""Which batches the database has, as the writer tells the journals of edges.

In the hash ``stored:<edge>`` on the primary: one field a boot (12 hex digits), and ``at``, which
changes each time the writer has looked, so that whoever reads it knows that the rest is fresh.
"""

from collections.abc import Mapping

import msgspec

AT_FIELD = b"at"


class StoredBoot(msgspec.Struct, frozen=True, array_like=True):
    """``ranges``: (first, last) of the numbers that nobody has to send again: stored, void, or set
    aside whole; in order, and apart. ``ended``: the database knows that the boot is over."""

    ranges: tuple[tuple[int, int], ...] = ()
    ended: bool = False


_decoder = msgspec.msgpack.Decoder(StoredBoot)


class Told(msgspec.Struct, frozen=True):
    """What the writer told when it last looked at the database; ``at`` is empty if it never did."""

    at: bytes = b""
    boots: dict[int, StoredBoot] = {}


def redis_key(edge: str) -> str:
    """The hash of an edge."""
    return f"stored:{edge}"


def field_of(boot: int) -> bytes:
    """The field of a boot."""
    return b"%012x" % boot


def encode(boot: StoredBoot) -> bytes:
    """The value of a boot's field."""
    return msgspec.msgpack.encode(boot)


def read_told(raw: Mapping[bytes, bytes]) -> Told:
    """The hash as it was read. Raises ValueError where it is none of ours."""
    boots = {
        int(field, 16): _decoder.decode(value) for field, value in raw.items() if field != AT_FIELD
    }
    return Told(raw.get(AT_FIELD, b""), boots)
