"""Rows in PostgreSQL's binary COPY format, but for the commit number, which comes last.

A row is encoded while the database still works on the read before; its commit number, drawn
later, is the first column, so that ``payload`` only has to put it before each row.
"""

from collections.abc import Sequence
from struct import Struct

import msgspec
from msgspec.structs import astuple

from shared.beacon import ENGAGEMENT, Beacon
from shared.clock import US_PER_SECOND
from writer.draft import NO_MONEY, Draft, Money
from writer.enrich.remembered import Remembered

_COLUMNS = (
    "commit_in site_id ts event_id day hour received_at interactive visitor bot name title"
    " hostname page referrer source channel"
    " utm_source utm_medium utm_campaign utm_term utm_content click_id"
    " country region city browser browser_version os os_version device language screen"
    " user_id props vitals revenue currency items engaged_ms scroll_pct"
)
COLUMNS = tuple(_COLUMNS.split())

PG_EPOCH_US = 946_684_800 * US_PER_SECOND
"""2000-01-01, from which PostgreSQL counts."""
_PG_FIRST_DAY = 10_957

_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_ROW = Struct(">hiq")
_FIXED = Struct(">iiiqi16siiihiqi?")
_LENGTH = Struct(">i")
_INT8 = Struct(">iq")
_INT4 = Struct(">ii")
_INT2 = Struct(">ih")
_NOTHING_RARE = _NULL * 8
_MOST_REMEMBERED = 50_000


class Row(msgspec.Struct, frozen=True, gc=False):
    """A draft with its encoded columns, all but the commit number."""

    draft: Draft
    tail: bytes


def payload(rows: Sequence[Row], commit_no: int) -> bytes:
    """The whole COPY of some rows."""
    head = _ROW.pack(len(COLUMNS), 8, commit_no)
    return _BEGIN + head + head.join([row.tail for row in rows]) + _END


def encode(draft: Draft) -> Row:
    """The row of an enriched draft."""
    beacon = draft.beacon
    name = beacon.name
    tail = b"".join(
        (
            _fixed(draft, beacon.interactive is not False and name != ENGAGEMENT),
            _NULL if draft.visitor is None else _INT8.pack(8, draft.visitor),
            _NULL if draft.bot is None else _text[draft.bot],
            _text[name],
            _text[beacon.title],
            _texts[draft.page],
            _texts[draft.referral],
            _texts[draft.campaign],
            _texts[draft.place],
            _texts[draft.agent],
            _text[draft.language],
            _text[draft.screen],
            _rare(draft, beacon),
        )
    )
    return Row(draft, tail)


def _fixed(draft: Draft, interactive: bool) -> bytes:
    when = draft.when
    return _FIXED.pack(
        4,
        draft.site_id,
        8,
        draft.ts - PG_EPOCH_US,
        16,
        draft.event_id.to_bytes(16),
        4,
        when.day - _PG_FIRST_DAY,
        2,
        when.hour,
        8,
        draft.received_at - PG_EPOCH_US,
        1,
        interactive,
    )


def _rare(draft: Draft, beacon: Beacon) -> bytes:
    """What the usual pageview has nothing of."""
    if (
        beacon.engaged_ms is None
        and beacon.scroll_pct is None
        and draft.user_id is None
        and draft.props is None
        and draft.vitals is None
        and draft.money is NO_MONEY
    ):
        return _NOTHING_RARE
    return b"".join(
        (
            _NULL if draft.user_id is None else _encode_text(draft.user_id),
            _json(draft.props),
            _json(draft.vitals),
            _money(draft.money),
            _NULL if beacon.engaged_ms is None else _INT4.pack(4, beacon.engaged_ms),
            _NULL if beacon.scroll_pct is None else _INT2.pack(2, beacon.scroll_pct),
        )
    )


def _encode_text(text: str) -> bytes:
    # PostgreSQL takes no NUL in a text; one may come out of a percent-encoded query.
    raw = text.replace("\0", "\ufffd").encode("utf-8", "replace")
    return _LENGTH.pack(len(raw)) + raw


def _json(raw: bytes | None) -> bytes:
    return _NULL if raw is None else _LENGTH.pack(len(raw) + 1) + b"\x01" + raw


def _money(money: Money) -> bytes:
    return b"".join(
        (
            _NULL if money.revenue is None else _INT8.pack(8, money.revenue),
            _NULL if money.currency is None else _text[money.currency],
            _json(money.items),
        )
    )


_text = Remembered[str, bytes](_encode_text, _MOST_REMEMBERED)
_texts = Remembered[msgspec.Struct, bytes](
    lambda texts: b"".join(map(_encode_text, astuple(texts))), _MOST_REMEMBERED
)
