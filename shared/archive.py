"""A file of the archive: one closed site-day as Parquet. Written by a job, read by the API and by
whoever likes; infrastructure/docs/archive.md tells strangers the same.

A visitor's rows stand together, in the order of (ts, event id); visitors by the country, browser
and other texts of their first row and by its time, which keeps alike beside alike. Robots are in it
too, without a visit.
"""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

DEFINITION = 1
"""Of the columns and of what a visit is. A file of another definition is stale."""

PLAIN = MappingProxyType(
    {
        "name": "VARCHAR",
        "interactive": "BOOLEAN",
        "bot": "VARCHAR",
        "hostname": "VARCHAR",
        "page": "VARCHAR",
        "title": "VARCHAR",
        "referrer": "VARCHAR",
        "source": "VARCHAR",
        "channel": "VARCHAR",
        "utm_source": "VARCHAR",
        "utm_medium": "VARCHAR",
        "utm_campaign": "VARCHAR",
        "utm_term": "VARCHAR",
        "utm_content": "VARCHAR",
        "click_id": "VARCHAR",
        "country": "VARCHAR",
        "region": "VARCHAR",
        "city": "VARCHAR",
        "browser": "VARCHAR",
        "browser_version": "VARCHAR",
        "os": "VARCHAR",
        "os_version": "VARCHAR",
        "device": "VARCHAR",
        "language": "VARCHAR",
        "screen": "VARCHAR",
        "user_id": "VARCHAR",
        "props": "VARCHAR",
        "revenue": "BIGINT",
        "currency": "VARCHAR",
        "items": "VARCHAR",
        "engaged_ms": "INTEGER",
        "scroll_pct": "SMALLINT",
        "vitals": "VARCHAR",
    }
)
"""Columns that are those of ``events`` as they are, with their types in DuckDB; JSON as text."""

OF_FIRST_EVENT = (
    "referrer", "source", "channel",
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
    "country", "region", "city", "browser", "browser_version", "os", "os_version", "device",
    "language", "screen",
)  # fmt: skip
"""What a visit has from its first event. Where all its events have the same, in every visit of
the day, the column is *steady*: an event's own value is then its visit's."""

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "ts": "TIMESTAMP WITH TIME ZONE",
        "visitor": "BIGINT",
        "boot": "UBIGINT",
        "seq": "UBIGINT",
        "idx": "UINTEGER",
        "late_us": "BIGINT",
        "hour": "TINYINT",
        **PLAIN,
        "props_text": "VARCHAR",
        "visit_no": "INTEGER",
        "visit_views": "INTEGER",
        "visit_events": "INTEGER",
        "visit_bounced": "BOOLEAN",
        "visit_lasted_ms": "BIGINT",
        "visit_entry_page": "VARCHAR",
        "visit_exit_page": "VARCHAR",
        "visit_entry_hostname": "VARCHAR",
        "visit_exit_hostname": "VARCHAR",
    }
)
"""``late_us``: received_at − ts. ``props_text``: where a value of ``props`` is a number, all of
them as the database writes them, in strings: engines write numbers differently. ``visit_no``: from
1 within the visitor's day; an engagement has that of the visit it joins; null: no visit. What
begins with ``visit_`` and follows stands on the visit's first row alone, an entry or exit only
where it is not that row's own page or hostname."""

# boot: the first 48 bits. idx: the last 16. seq: what is between, put so that it is the batch's
# own number where the edge counted the event (shared/receipt.py); other bits of the id go above.
_COUNTED = 0b1000_10_00 << 16


def split(event_id: int) -> tuple[int, int, int]:
    """(boot, seq, idx) of a UUID of 128 bits, whatever it is; ``joined`` is the way back."""
    low28 = (event_id >> 16) & 0xFFFFFFF
    high12 = (event_id >> 64) & 0xFFF
    fixed = ((event_id >> 76) & 0xF) << 20 | ((event_id >> 44) & 0xFFFFF)
    seq = (fixed ^ _COUNTED) << 40 | high12 << 28 | low28
    return event_id >> 80, seq, event_id & 0xFFFF


def joined(boot: int, seq: int, idx: int) -> int:
    """The UUID as an integer."""
    fixed, low28, high12 = (seq >> 40) ^ _COUNTED, seq & 0xFFFFFFF, (seq >> 28) & 0xFFF
    high = boot << 80 | (fixed >> 20) << 76 | high12 << 64
    return high | (fixed & 0xFFFFF) << 44 | low28 << 16 | idx


SPLIT = MappingProxyType(
    {
        "boot": "(id >> 80)::UBIGINT",
        "seq": f"(xor((((id >> 76)::UHUGEINT & 15) * 1048576 + ((id >> 44) & 1048575))::UBIGINT,"
        f" {_COUNTED}::UBIGINT) << 40)"
        " | (((id >> 64) & 4095)::UBIGINT << 28)"
        " | ((id >> 16) & 268435455)::UBIGINT",
        "idx": "(id & 65535)::UINTEGER",
    }
)
"""The same as expressions of DuckDB's over ``id``, a UHUGEINT."""

_FIXED = f"xor(seq >> 40, {_COUNTED}::UBIGINT)::UHUGEINT"
JOINED = (
    f"((boot::UHUGEINT << 80) | (({_FIXED} >> 20) << 76) | (((seq >> 28) & 4095)::UHUGEINT << 64)"
    f" | (({_FIXED} & 1048575) << 44) | ((seq & 268435455)::UHUGEINT << 16) | idx::UHUGEINT)::UUID"
)
"""The way back, over the columns of a file."""


MISSING, CUT, ALTERED = "missing", "cut", "altered"
"""What can be wrong with a file."""


def fault_of(found_bytes: int, recorded_bytes: int) -> str | None:
    """What a file's size alone says."""
    if found_bytes < recorded_bytes:
        return CUT
    return ALTERED if found_bytes > recorded_bytes else None


def file_path(site_id: int, day: date, version: int) -> str:
    """Within the archive's folder."""
    return f"{day_folder(site_id, day)}/{version}.parquet"


def day_folder(site_id: int, day: date) -> str:
    """Where the versions of a site-day stand."""
    return f"site={site_id}/day={day.isoformat()}"
