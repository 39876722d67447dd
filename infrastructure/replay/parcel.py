"""Events gathered into the arrays that the edge takes."""

import msgspec

from shared.beacon_reader import MAX_EVENTS

MAX_PARCEL_BYTES = 1_000_000
"""Of the edge's 1 MiB."""

_encoder = msgspec.json.Encoder()


class Parcel:
    """Encoded events, up to as many and as large as one request may be."""

    def __init__(self) -> None:
        self._events: list[bytes] = []
        self._bytes = 2

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: msgspec.Struct) -> bytes | None:
        """Put an event in; gives back the full array that had to go first, if one had to."""
        encoded = _encoder.encode(event)
        full = None
        if len(self) == MAX_EVENTS or self._bytes + len(encoded) + 1 > MAX_PARCEL_BYTES:
            full = self.take()
        self._events.append(encoded)
        self._bytes += len(encoded) + 1
        return full

    def take(self) -> bytes | None:
        """The array of what is in, which is then empty; None when nothing was."""
        if not self._events:
            return None
        body = b"[" + b",".join(self._events) + b"]"
        self._events, self._bytes = [], 2
        return body
