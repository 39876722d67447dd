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


class EdgeState(msgspec.Struct, frozen=True):
    """What is known of an edge. ``silent_since``: epoch ms it was last heard, if that is too long
    ago, else null. ``spooled_batches``: what it held back when it was last heard."""

    silent_since: int | None
    spooled_batches: int


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
    """The first frame of a connection that cannot be resumed. ``at``: the server's epoch ms."""

    id: int
    at: int
    view: View
    feed: list[FeedEvent]


class Delta(msgspec.Struct, frozen=True, omit_defaults=True, tag="delta", tag_field="type"):
    """What changed since the frame before. ``gone``: feed events whose place another
    took; they leave before those of ``feed`` enter.

    An empty one comes every 5 s where nothing else was sent: a client that hears nothing for
    three times as long is on a dead line, and connects anew."""

    id: int
    at: int
    view: View
    feed: list[FeedEvent] = []
    gone: list[str] = []


class Resync(msgspec.Struct, frozen=True, tag="resync", tag_field="type"):
    """What the client missed is not kept any more; a snapshot follows."""

    id: int


Frame = Snapshot | Delta | Resync
