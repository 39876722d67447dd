"""The JSON frames of ``/live``. A frame's ``id`` is the settled commit it speaks of.

A delta holds absolute values of the keys that changed, and null for those that went; receiving
it twice changes nothing. Feed events are told apart by their ``id``, the receipt.
"""

import msgspec

Counts = dict[str, int | None]


class FeedEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event, newest first. ``ts``: epoch ms. ``late``: it happened well before its commit."""

    id: str
    ts: int
    name: str
    page: str = ""
    hostname: str = ""
    source: str = ""
    country: str = ""
    browser: str = ""
    os: str = ""
    device: str = ""
    bot: str | None = None
    late: bool = False


class EdgeState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of an edge; times are epoch ms.

    ``silent_since``: when it was last heard, if that is too long ago, else null.
    ``written_off_at``: when it will be, or was, written off for its silence.
    ``spooled_batches``: what it held back when it was last heard, the oldest received at
    ``oldest_at``. ``behind_since``: only up to then is it known to hold nothing back, where that is
    longer ago than heartbeats take. ``in_flight_batches``: at the primary, not yet stored; said
    only of an edge that is behind. ``lost_batches``: acknowledged, and nowhere.
    """

    silent_since: int | None
    spooled_batches: int
    written_off_at: int | None = None
    oldest_at: int | None = None
    behind_since: int | None = None
    in_flight_batches: int = 0
    lost_batches: int = 0


class View(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything a page shows of a site, or of it what changed.

    ``here``: visitors with an event in the last five minutes. ``minutes``: pageviews by minute
    (epoch minute as text) of the last 30. ``pages``, ``sources``, ``countries``: pageviews by
    value in the same 30 minutes, the ten largest. ``edges``: by name.
    """

    here: int | None = None
    minutes: Counts = {}
    moments: Counts = {}
    pages: Counts = {}
    sources: Counts = {}
    countries: Counts = {}
    edges: dict[str, EdgeState | None] = {}


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot", tag_field="type"):
    """The first frame of a connection that cannot be resumed. ``at``: the server's epoch ms.

    ``final_until``: epoch ms; nothing that an edge received before is still to come, but from those
    written off. Null where no edge is waited for. Every frame that is not a resync has it."""

    id: int
    at: int
    view: View
    feed: list[FeedEvent]
    final_until: int | None = None


class Delta(msgspec.Struct, frozen=True, omit_defaults=True, tag="delta", tag_field="type"):
    """What changed since the frame before. ``gone``: feed events whose place another
    took; they leave before those of ``feed`` enter.

    One with an empty view comes when ``final_until`` moved on, and every 5 s where nothing else
    was sent: a client that hears nothing for three times as long is on a dead line, and connects
    anew."""

    id: int
    at: int
    view: View
    feed: list[FeedEvent] = []
    gone: list[str] = []
    final_until: int | None = None


class Resync(msgspec.Struct, frozen=True, tag="resync", tag_field="type"):
    """What the client missed is not kept any more; a snapshot follows."""

    id: int


Frame = Snapshot | Delta | Resync
