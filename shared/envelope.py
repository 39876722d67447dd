"""The beacon as captured: what the edge seals and the writer unfolds."""

import msgspec


class Headers(msgspec.Struct, array_like=True, frozen=True):
    """The few request headers that enrichment needs; empty where the client sent none."""

    user_agent: str = ""
    language: str = ""
    referer: str = ""


class Envelope(msgspec.Struct, array_like=True, frozen=True):
    """One HTTP request, unparsed.

    ``received_at``: microseconds since the epoch by the primary's clock, never running back
    within a boot. ``ip``: the client's address as text, empty where it is not known.
    ``key``: SHA-256 of the secret key it came with, or None; ``verified`` says whether the
    edge could check that key against its snapshot. ``first``: index in the batch of its first
    event. ``taken``: the places in ``body``'s array whose events were accepted, in order, or
    None when all were (a single event is an array of one). Event k of ``taken`` has the batch
    index ``first + k``.
    """

    received_at: int
    protocol: int
    site: str
    ip: str
    key: bytes | None
    verified: bool
    headers: Headers
    first: int
    taken: list[int] | None
    body: bytes


PROTOCOL = 1
"""Version of the beacon format the body is written in."""
