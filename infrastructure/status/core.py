"""What the core knows of edges, losses and what was set aside."""

from datetime import datetime

import msgspec


class EdgeSeen(msgspec.Struct, frozen=True):
    """An edge as of its last heartbeat. ``is_silent``: None where it was never heard."""

    edge: str
    last_heard: datetime | None
    is_silent: bool | None
    is_retired: bool
    spooled_batches: int
    spooled_bytes: int
    oldest_spooled_at: datetime | None
    lost_batches: int


class Core(msgspec.Struct, frozen=True):
    """``quarantined``: entries and events held, by reason."""

    edges: list[EdgeSeen]
    quarantined: dict[str, int]
