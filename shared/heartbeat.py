"""What each boot and each drain tells the core once a second, in the hash ``heartbeat:<edge>``."""

import msgspec

DRAIN_FIELD = "drain"


def redis_key(edge: str) -> str:
    """The hash that holds an edge's heartbeats: one field a boot (12 hex digits), one ``drain``."""
    return f"heartbeat:{edge}"


class BootBeat(msgspec.Struct, frozen=True):
    """One worker start. Times are microseconds by the primary's clock.

    Nothing received before ``low_time`` lies above ``low``. ``void``: every
    number given up, as runs (first, last).
    ``counts``: events by site and outcome since the boot began, as ``{site: {outcome: n}}`` with
    the outcomes ``received``, ``dropped:<reason>``, ``refused:<code>``; ``received`` holds every
    acknowledged batch up to ``counted_to`` and none after it, which is ``last_acked`` but for a
    boot that somebody else closed. ``ended``: set by the drain when the worker is gone.
    """

    at: int
    low: int
    low_time: int
    last_acked: int
    void: tuple[tuple[int, int], ...] = ()
    counts: dict[str, dict[str, int]] = {}
    clock_offset_us: int = 0
    ended: bool = False
    counted_to: int = 0


class DrainBeat(msgspec.Struct, frozen=True):
    """What waits in the spool: batches, their bytes, received_at of the oldest or None.
    ``journal``: whether this edge asks which of its batches the database has (shared/stored.py)."""

    at: int
    batches: int
    bytes: int
    oldest_at: int | None = None
    drained_batches: int = 0
    journal: bool = False
