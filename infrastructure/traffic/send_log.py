"""What was sent and what came back, small enough to be kept for hours."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

_RECORD = 32
_NONE = bytes(16)


class Sent(NamedTuple):
    """One event: the id the client minted, and the receipt, None where nothing was acknowledged."""

    client_id: UUID
    receipt: UUID | None


class SendLog:
    """Every event by its id, 32 bytes each, and counts to show meanwhile.

    ``begun``: events sent at least once. ``accepted``: with a receipt. ``repeats``: sendings after
    the first. ``ends``: how those without a receipt ended, by status or ``no answer``.
    """

    def __init__(self) -> None:
        self.begun = 0
        self.accepted = 0
        self.repeats = 0
        self.ends: Counter[str] = Counter()
        self._records = bytearray()

    def record(self, client_id: UUID, receipt: UUID | None, end: str = "") -> None:
        """Note how the sending of an event ended; ``end`` says why there is no receipt."""
        self._records += client_id.bytes + (receipt.bytes if receipt else _NONE)
        if receipt:
            self.accepted += 1
        else:
            self.ends[end] += 1

    def __iter__(self) -> Iterator[Sent]:
        for start in range(0, len(self._records), _RECORD):
            record = bytes(self._records[start : start + _RECORD])
            receipt = record[16:]
            yield Sent(UUID(bytes=record[:16]), None if receipt == _NONE else UUID(bytes=receipt))
