"""The metrics and dimensions there are."""

from enum import StrEnum
from typing import NamedTuple

from shared.beacon import MAX_PROP_KEY, longer


class Side(StrEnum):
    """What a metric is counted from: chosen events, the visits that hold them, or engagement."""

    EVENTS = "events"
    VISITS = "visits"
    ENGAGEMENT = "engagement"


class Base(StrEnum):
    """Another count of visitors that a metric is a share of: those of the whole answer, or those
    that there were whether or not they reached the goal, in all or in the same group."""

    WHOLE = "whole"
    UNCONVERTED = "unconverted"
    UNCONVERTED_GROUP = "unconverted_group"


class Metric(NamedTuple):
    """``money``: made of revenue, by currency."""

    side: Side
    base: Base | None = None
    money: bool = False


METRICS: dict[str, Metric] = {
    "visitors": Metric(Side.EVENTS),
    "visits": Metric(Side.VISITS),
    "pageviews": Metric(Side.EVENTS),
    "views_per_visit": Metric(Side.VISITS),
    "bounce_rate": Metric(Side.VISITS),
    "visit_duration": Metric(Side.VISITS),
    "events": Metric(Side.EVENTS),
    "scroll_depth": Metric(Side.ENGAGEMENT),
    "time_on_page": Metric(Side.ENGAGEMENT),
    "percentage": Metric(Side.EVENTS, base=Base.WHOLE),
    "conversion_rate": Metric(Side.EVENTS, base=Base.UNCONVERTED),
    "group_conversion_rate": Metric(Side.EVENTS, base=Base.UNCONVERTED_GROUP),
    "total_revenue": Metric(Side.EVENTS, money=True),
    "average_revenue": Metric(Side.EVENTS, money=True),
}


class Kind(StrEnum):
    """What has the dimension: an event, the visit it is part of, or its time."""

    EVENT = "event"
    VISIT = "visit"
    TIME = "time"


class Dimension(NamedTuple):
    """``column`` of ``events``; for a visit its first event's, for its pages the pageviews'.
    ``named``: shown by a name (``names``) and not as it is stored."""

    name: str
    kind: Kind
    column: str
    named: bool = False


ENTRY_PAGE = "visit:entry_page"
EXIT_PAGE = "visit:exit_page"
ENTRY_HOSTNAME = "visit:entry_page_hostname"
EXIT_HOSTNAME = "visit:exit_page_hostname"
PAGE = "event:page"
GOAL = "event:goal"
NAME = "event:name"
COUNTRY_NAME = "visit:country_name"
SEGMENT = "segment"
PROPS = "event:props:"
TIME = "time"

OF_ITS_PAGEVIEWS = frozenset((ENTRY_PAGE, EXIT_PAGE, ENTRY_HOSTNAME, EXIT_HOSTNAME))
"""Of a visit's pageviews, not of its first event; empty where it has none."""

OF_ITS_LAST = frozenset((EXIT_PAGE, EXIT_HOSTNAME))

_FIRST_EVENTS = (
    "source", "channel", "referrer",
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
    "country", "region", "city",
    "browser", "browser_version", "os", "os_version", "device", "language", "screen",
)  # fmt: skip

CURRENCY = Dimension("currency", Kind.EVENT, "currency")
"""What revenue is counted by; not asked for on the wire."""

DIMENSIONS: dict[str, Dimension] = {
    dimension.name: dimension
    for dimension in (
        *(Dimension(f"event:{n}", Kind.EVENT, n) for n in ("page", "name", "hostname", "goal")),
        *(Dimension(f"visit:{name}", Kind.VISIT, name) for name in _FIRST_EVENTS),
        Dimension(COUNTRY_NAME, Kind.VISIT, "country", named=True),
        # The geo files hold names, not codes: these are the same.
        Dimension("visit:region_name", Kind.VISIT, "region"),
        Dimension("visit:city_name", Kind.VISIT, "city"),
        Dimension(ENTRY_PAGE, Kind.VISIT, "page"),
        Dimension(EXIT_PAGE, Kind.VISIT, "page"),
        Dimension(ENTRY_HOSTNAME, Kind.VISIT, "hostname"),
        Dimension(EXIT_HOSTNAME, Kind.VISIT, "hostname"),
        *(Dimension(f"time:{unit}", Kind.TIME, unit) for unit in ("hour", "day", "week", "month")),
    )
}
"""Beside these: ``event:props:<key>``, and ``time``, which is resolved to one of the four by the
length of the range."""


def find_dimension(name: object) -> Dimension | None:
    """The dimension of a name on the wire, ``time`` aside. That of a prop has a column
    ``props:<key>``."""
    if not isinstance(name, str):
        return None
    if name.startswith(PROPS):
        key = name.removeprefix(PROPS)
        sound = key and "\0" not in key and not longer(key, MAX_PROP_KEY)
        return Dimension(name, Kind.EVENT, f"props:{key}") if sound else None
    return DIMENSIONS.get(name)
