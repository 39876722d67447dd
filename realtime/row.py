"""One row of ``events`` as the live page needs it."""

import msgspec

from realtime.frames import FeedEvent

ENGAGEMENT = "engagement"
PAGEVIEW = "pageview"

LATE_AFTER_MS = 30_000


class Row(msgspec.Struct, frozen=True):
    """``ts_ms``: when it happened; ``stored_ms``: when its commit began (both epoch ms)."""

    site_id: int
    event_id: str
    ts_ms: int
    stored_ms: int
    visitor: int | None
    name: str
    bot: str | None
    hostname: str
    page: str
    source: str
    country: str
    browser: str
    os: str
    device: str


def is_counted(row: Row) -> bool:
    """Whether the row is in the numbers: bots and engagement are not."""
    return row.bot is None and row.name != ENGAGEMENT


def is_shown(row: Row) -> bool:
    """Whether the row is in the feed: bots are, with the rule that matched."""
    return row.name != ENGAGEMENT


def feed_event(row: Row) -> FeedEvent:
    """What the feed shows of a row."""
    return FeedEvent(
        id=row.event_id,
        ts=row.ts_ms,
        name=row.name,
        page=row.page,
        hostname=row.hostname,
        source=row.source,
        country=row.country,
        browser=row.browser,
        os=row.os,
        device=row.device,
        bot=row.bot,
        late=row.ts_ms < row.stored_ms - LATE_AFTER_MS,
    )
