"""Rows for the tests of the live numbers; ``NOW_MS`` is the middle of a minute."""

from uuid import UUID

from realtime.row import Row

MINUTE_MS = 60_000
NOW_MS = 29_000_000 * MINUTE_MS + 30_000
NOW_MINUTE = str(NOW_MS // MINUTE_MS)


def row(
    ago_ms: int = 0,
    *,
    visitor: int | None = 1,
    name: str = "pageview",
    bot: str | None = None,
    page: str = "/",
    source: str = "",
    country: str = "",
    number: int = 0,
    stored_ms: int = NOW_MS,
) -> Row:
    """A row that happened ``ago_ms`` before NOW_MS."""
    return Row(
        site_id=1,
        event_id=str(UUID(int=number)),
        ts_ms=NOW_MS - ago_ms,
        stored_ms=stored_ms,
        visitor=visitor,
        name=name,
        bot=bot,
        hostname="example.com",
        page=page,
        source=source,
        country=country,
        browser="Firefox",
        os="Linux",
        device="desktop",
    )
