"""The beacon as captured: what the edge seals and the writer unfolds."""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.clock import US_PER_SECOND

# The key that seals is public: whoever reaches a stream can seal anything, so what is opened is
# held to these bounds. A capture time lies between the years 2000 and 2200.
CaptureTime = Annotated[int, Meta(ge=946_684_800 * US_PER_SECOND, lt=7_258_118_400 * US_PER_SECOND)]
Index = Annotated[int, Meta(ge=0, le=65_535)]
PlaceInArray = Annotated[int, Meta(ge=0, le=99)]


class Headers(msgspec.Struct, array_like=True, frozen=True):
    """The few request headers that enrichment needs; empty where the client sent none."""

    user_agent: Annotated[str, Meta(max_length=1_024)] = ""
    language: Annotated[str, Meta(max_length=256)] = ""
    referer: Annotated[str, Meta(max_length=2_048)] = ""


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

    received_at: CaptureTime
    protocol: int
    site: Annotated[str, Meta(max_length=253)]
    ip: Annotated[str, Meta(max_length=64)]
    key: Annotated[bytes, Meta(min_length=32, max_length=32)] | None
    verified: bool
    headers: Headers
    first: Index
    taken: Annotated[list[PlaceInArray], Meta(max_length=100)] | None
    body: Annotated[bytes, Meta(max_length=1024 * 1024)]


PROTOCOL = 1
"""Version of the beacon format the body is written in."""
