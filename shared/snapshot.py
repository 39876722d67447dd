"""All that an edge must know of the core, signed, with a version that only grows."""

from typing import NamedTuple

import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

REDIS_KEY = "snapshot"


class SiteRules(msgspec.Struct, frozen=True):
    """One site as the edge sees it.

    ``site``: its key in beacons. ``origins``: further allowed origins (``https://shop.example``)
    beside the site's own domain and its subdomains; ``*`` allows all. ``excluded``: client
    networks (CIDR) whose beacons are dropped. ``events_per_s``: its share of this edge.
    """

    site: str
    origins: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    honour_dnt: bool = True
    events_per_s: int = 2_000


class KeyRules(msgspec.Struct, frozen=True):
    """One live API key: SHA-256 of its text, the site it is good for (None: all), its scopes."""

    digest: bytes
    site: str | None
    scopes: tuple[str, ...]


class Snapshot(msgspec.Struct, frozen=True):
    """What the core publishes. ``seal_keys``: public ``id:base64``, the first is used. A limit
    that is None is the edge's own affair: it protects the edge's machine."""

    epoch: int
    version: int
    issued_at: int
    seal_keys: tuple[str, ...]
    sites: tuple[SiteRules, ...] = ()
    keys: tuple[KeyRules, ...] = ()
    per_address_events_per_s: int | None = None
    total_events_per_s: int | None = None

    @property
    def order(self) -> tuple[int, int]:
        """(epoch, version): a snapshot replaces only one of a lesser order."""
        return self.epoch, self.version


class Signed(msgspec.Struct, array_like=True, frozen=True):
    """The published bytes: the encoded snapshot, and Ed25519 over exactly those bytes."""

    payload: bytes
    signature: bytes


class Forged(Exception):
    """The bytes are not a snapshot signed by the pinned key."""


class Scope(NamedTuple):
    """The scopes a key can have."""

    INGEST: str = "ingest"
    IMPORT: str = "import"
    QUERY: str = "query"
    ADMIN: str = "admin"


SCOPES = Scope()


def sign(snapshot: Snapshot, key: SigningKey) -> bytes:
    """The bytes to publish."""
    payload = msgspec.msgpack.encode(snapshot)
    return msgspec.msgpack.encode(Signed(payload, key.sign(payload).signature))


def verify(raw: bytes, key: VerifyKey) -> Snapshot:
    """The snapshot in published bytes. Raises Forged."""
    try:
        signed = msgspec.msgpack.decode(raw, type=Signed)
        key.verify(signed.payload, signed.signature)
        return msgspec.msgpack.decode(signed.payload, type=Snapshot)
    except (BadSignatureError, msgspec.MsgspecError, ValueError, TypeError) as error:
        raise Forged(type(error).__name__) from error
