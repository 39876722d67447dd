"""The metrics and dimensions there are."""

from enum import StrEnum
from typing import NamedTuple


class Side(StrEnum):
    """What a metric is counted from: chosen events, or the visits that hold them."""

    EVENTS = "events"
    VISITS = "visits"


METRICS: dict[str, Side] = {
    "visitors": Side.EVENTS,
    "pageviews": Side.EVENTS,
    "events": Side.EVENTS,
    "visits": Side.VISITS,
    "views_per_visit": Side.VISITS,
    "bounce_rate": Side.VISITS,
    "visit_duration": Side.VISITS,
}


class Kind(StrEnum):
    """What has the dimension: an event, the visit it is part of, or its time."""

    EVENT = "event"
    VISIT = "visit"
    TIME = "time"


class Dimension(NamedTuple):
    """``column`` of ``events``; for a visit its first event's, for its pages the pageviews'."""

    name: str
    kind: Kind
    column: str


ENTRY_PAGE = "visit:entry_page"
EXIT_PAGE = "visit:exit_page"
PAGE = "event:page"
TIME = "time"

_FIRST_EVENTS = (
    "source", "channel", "referrer",
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
    "country", "region", "city",
    "browser", "browser_version", "os", "os_version", "device",
)  # fmt: skip

DIMENSIONS: dict[str, Dimension] = {
    dimension.name: dimension
    for dimension in (
        *(Dimension(f"event:{name}", Kind.EVENT, name) for name in ("page", "name", "hostname")),
        *(Dimension(f"visit:{name}", Kind.VISIT, name) for name in _FIRST_EVENTS),
        Dimension(ENTRY_PAGE, Kind.VISIT, "page"),
        Dimension(EXIT_PAGE, Kind.VISIT, "page"),
        *(Dimension(f"time:{unit}", Kind.TIME, unit) for unit in ("hour", "day", "week", "month")),
    )
}
"""``time`` itself is resolved to one of the four by the length of the range."""
