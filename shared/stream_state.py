"""What a stream of batches says of itself, and what it must not say: that it is shorter than what
was put in and taken out, that it began anew, or that its ids run ahead of the clock. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

AHEAD_MS = 60_000
"""Clocks that are set apart by less are no fault of the stream."""
GREATEST_ID = (2**64 - 1, 2**64 - 1)

EntryId = tuple[int, int]
"""(ms, sequence)."""


class StreamState(NamedTuple):
    """``added``: entries ever. ``delivered``, ``pending``: of its consumer group; ``delivered`` is
    None where Redis does not know it."""

    length: int = 0
    added: int = 0
    last_id: EntryId = (0, 0)
    delivered: int | None = None
    pending: int = 0


def read_entry_id(entry_id: bytes) -> EntryId:
    """Of ``ms-sequence``, as Redis writes it."""
    ms, _, sequence = entry_id.partition(b"-")
    return int(ms), int(sequence or 0)


def read_state(info: Mapping[str, Any], group: Mapping[str, Any] | None = None) -> StreamState:
    """From the replies of XINFO STREAM and, for one group, XINFO GROUPS."""
    last_id = read_entry_id(info["last-generated-id"])
    state = StreamState(info["length"], info["entries-added"], last_id)
    if group is None:
        return state
    return state._replace(delivered=group["entries-read"], pending=group["pending"])


def removed_unread(state: StreamState) -> int:
    """Entries gone that no writer has acknowledged: each leaves by XACK and XDEL in one step."""
    if state.delivered is None:
        return 0
    acknowledged = state.delivered - state.pending
    return max(0, state.added - acknowledged - state.length)


def went_back(before: StreamState, now: StreamState) -> bool:
    """Whether this is another stream under the same name: DEL, FLUSHALL, or an older server."""
    return now.added < before.added or now.last_id < before.last_id


def ahead_ms(state: StreamState, now_ms: int) -> int:
    """By how much its next ids are not of this time; 0 for what clocks may differ by."""
    ahead = state.last_id[0] - now_ms
    return ahead if ahead > AHEAD_MS else 0
