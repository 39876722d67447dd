"""Where one event is, by its receipt: stored, set aside, on its way, or nowhere.

The edge counts a receipt as (boot, number of the batch, place in it), so that a boot that was
heard of names the edge, and the ledger knows of every number. A derived receipt says none of that.
"""

from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Boolean, Select, and_, case, func, literal, or_, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.trace_archive import TookTooLong, find_filed
from shared import receipt
from shared.errors import Code, Refusal
from shared.receipt import Place
from writer.tables import (
    batch,
    boot,
    client_id,
    edge,
    events,
    left_out,
    quarantine,
    site,
)

DUPLICATE = "duplicate"
_SEARCH_MS = 20_000
_NUMBERS_A_S = 2_000
"""More than a worker can use up: each is an fsync of its own."""
_GRACE_S = 60
# Neither the address, which is not kept, nor what follows a visitor.
_HIDDEN = {"visitor", "user_id", "site_id", "commit_out"}
_SHOWN = [column for column in events.c if column.name not in _HIDDEN]


class Found(StrEnum):
    """What became of an event. A client may rely on these words."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    DROPPED = "dropped"
    QUARANTINED = "quarantined"
    GONE = "gone"
    REFUSED = "refused"
    UNDER_WAY = "under_way"
    LOST = "lost"
    UNKNOWN = "unknown"


MEANINGS: dict[Found, str] = {
    Found.STORED: "it stands, as shown",
    Found.DUPLICATE: "another request with the same client id stands",
    Found.DROPPED: "the writer left it out on purpose",
    Found.QUARANTINED: "it is set aside, and may be replayed or discarded",
    Found.GONE: "its batch is stored, and the event is past its retention or was left out long ago",
    Found.REFUSED: "the edge gave the batch up with a 503, and the client was told so",
    Found.UNDER_WAY: "its edge holds it, it is on its way to the writer, or it waits for its day",
    Found.LOST: "its edge no longer holds it, and it never arrived",
    Found.UNKNOWN: "no such event was heard of here",
}


class Trace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``of``: the receipt that stands in a duplicate's place. ``event``: the row, without what
    identifies a visitor. ``edge``, ``last_heard``: who took it, where the receipt says so."""

    receipt: str
    found: Found
    meaning: str
    site: str | None = None
    reason: str | None = None
    detail: str | None = None
    quarantine_id: int | None = None
    of: str | None = None
    edge: str | None = None
    last_heard: datetime | None = None
    event: dict[str, Any] | None = None


async def trace(
    db: AsyncConnection, event_id: UUID, archive: Path, only_site: int | None = None
) -> Trace:
    """Where the event is; ``archive``: the folder of its files; ``only_site``: say nothing of
    another site's. Raises Refusal."""
    place = receipt.place(event_id)
    told = {**await _owner(db, place), "receipt": str(event_id)}
    for look in (_in_events, _in_left_out, _in_quarantine, partial(_in_archive, archive)):
        answer, site_id, key = await look(db, event_id, place)
        if answer is not None:
            if only_site is not None and site_id != only_site:
                return _answer(Found.UNKNOWN, receipt=str(event_id))
            return _answer(answer.pop("found"), **told, **answer, site=key)
    found = Found.UNKNOWN if place is None else await _in_ledger(db, place)
    if only_site is not None:
        told = {"receipt": str(event_id)}
    return _answer(found, **told)


def _answer(found: Found, **fields: Any) -> Trace:
    return Trace(found=found, meaning=MEANINGS[found], **fields)


async def _owner(db: AsyncConnection, place: Place | None) -> dict[str, Any]:
    """Which edge started the boot, and when that edge was last heard from."""
    if place is None:
        return {}
    statement = (
        select(boot.c.edge, func.coalesce(edge.c.last_heard, boot.c.last_heard))
        .join_from(boot, edge, boot.c.edge == edge.c.edge, isouter=True)
        .where(boot.c.boot == place.boot)
    )
    row = (await db.execute(statement)).first()
    return {} if row is None else {"edge": row[0], "last_heard": row[1]}


_Look = tuple[dict[str, Any] | None, int | None, str | None]
_NOTHING: _Look = (None, None, None)


async def _in_events(db: AsyncConnection, event_id: UUID, _: Place | None) -> _Look:
    await db.execute(text(f"SET LOCAL statement_timeout = {_SEARCH_MS}"))
    try:
        found = (await db.execute(standing(event_id))).first()
    except OperationalError as error:
        raise _not_in_time() from error
    if found is None:
        return _NOTHING
    site_id, key, *values = tuple(found)
    event = dict(zip((column.name for column in _SHOWN), values, strict=True))
    return {"found": Found.STORED, "event": event}, site_id, key


def _not_in_time() -> Refusal:
    return Refusal(
        Code.QUERY_TIMEOUT, "the event was not found in time; ask again when less is going on"
    )


def standing(event_id: UUID) -> Select[Any]:
    """The row of an event, if it stands: its site, and what is shown."""
    return (
        select(events.c.site_id, site.c.key, *_SHOWN)
        .join_from(events, site, events.c.site_id == site.c.site_id, isouter=True)
        .where(events.c.event_id == event_id, events.c.commit_out.is_(None))
        .limit(1)
    )


async def _in_left_out(db: AsyncConnection, event_id: UUID, _: Place | None) -> _Look:
    same = and_(
        client_id.c.site_id == left_out.c.site_id, client_id.c.client_id == left_out.c.client_id
    )
    statement = (
        select(left_out.c.site_id, site.c.key, left_out.c.reason, client_id.c.event_id)
        .join_from(left_out, client_id, same, isouter=True)
        .join(site, site.c.site_id == left_out.c.site_id, isouter=True)
        .where(left_out.c.event_id == event_id)
    )
    row = (await db.execute(statement)).first()
    if row is None:
        return _NOTHING
    site_id, key, reason, stands = row
    if reason == DUPLICATE:
        return {"found": Found.DUPLICATE, "of": stands and str(stands)}, site_id, key
    return {"found": Found.DROPPED, "reason": reason}, site_id, key


async def _in_quarantine(db: AsyncConnection, _: UUID, place: Place | None) -> _Look:
    """Whole entries are known by the number that they claim, which is unproven."""
    if place is None:
        return _NOTHING
    index = quarantine.c.index
    statement = (
        select(
            site.c.site_id,
            quarantine.c.site,
            quarantine.c.reason,
            quarantine.c.detail,
            quarantine.c.state,
            quarantine.c.quarantine_id,
        )
        .join_from(quarantine, site, site.c.key == quarantine.c.site, isouter=True)
        .where(
            quarantine.c.boot == place.boot,
            quarantine.c.seq == place.seq,
            or_(index == place.index, index.is_(None)),
            quarantine.c.state != "replayed",
        )
        .order_by(index)
        .limit(1)
    )
    row = (await db.execute(statement)).first()
    if row is None:
        return _NOTHING
    site_id, key, reason, detail, state, quarantine_id = row
    # Whose events a whole entry holds is not known: it is sealed.
    key = key or None
    told = {"reason": reason, "detail": detail or None, "quarantine_id": quarantine_id}
    if state == "waiting":
        return told | {"found": Found.UNDER_WAY, "quarantine_id": None}, site_id, key
    if state == "discarded":
        told |= {"found": Found.DROPPED, "detail": "set aside, then discarded by an operator"}
        return told, site_id, key
    return told | {"found": Found.QUARANTINED}, site_id, key


async def _in_archive(folder: Path, db: AsyncConnection, event_id: UUID, _: Place | None) -> _Look:
    try:
        found = await find_filed(db, folder, event_id, _SEARCH_MS / 1_000)
    except TookTooLong:
        raise _not_in_time() from None
    if found is None:
        return _NOTHING
    told = {"found": Found.STORED, "detail": "in the archive alone", "event": found.event}
    return told, found.site_id, found.site


async def _in_ledger(db: AsyncConnection, place: Place) -> Found:
    stored = select(batch.c.n).where(batch.c.boot == place.boot, batch.c.seq == place.seq)
    events_in_it = (await db.execute(stored)).scalar()
    if events_in_it is not None:
        return Found.GONE if place.index < events_in_it else Found.UNKNOWN
    seq = literal(place.seq, type_=batch.c.seq.type)
    sets = (boot.c.stored, boot.c.void, boot.c.lost, boot.c.accepted)
    holds = [numbers.op("@>", return_type=Boolean())(seq) for numbers in sets]
    highest = func.greatest(boot.c.low, boot.c.last_acked) + case(
        (boot.c.ended, 0),
        else_=_NUMBERS_A_S * (func.extract("epoch", func.now() - boot.c.last_heard) + _GRACE_S),
    )
    statement = select(seq > highest, *holds).where(boot.c.boot == place.boot)
    row = (await db.execute(statement)).first()
    if row is None:
        return Found.UNKNOWN
    was_never_given, *known = row
    answers = zip(known, (Found.GONE, Found.REFUSED, Found.LOST, Found.LOST), strict=True)
    beyond = Found.UNKNOWN if was_never_given else Found.UNDER_WAY
    return next((found for holds, found in answers if holds), beyond)
