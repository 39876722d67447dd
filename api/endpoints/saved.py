"""Goals, segments and exclusions of a site, which differ in nothing but what they are for."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from api.call import Call
from api.saved import (
    EXCLUSIONS,
    GOALS,
    SEGMENTS,
    Kind,
    Saved,
    change_saved,
    drop_saved,
    list_saved,
    put_saved,
)
from shared.errors import Code, Refusal


class NewSaved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``filters`` as `POST /api/v2/query` takes them; all must hold."""

    name: str
    filters: list[Any]


class ChangedSaved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays."""

    name: str | None = None
    filters: list[Any] | None = None


class ShownSaved(msgspec.Struct, frozen=True):
    """By name."""

    saved: tuple[Saved, ...]


Answer = Callable[[Call, Any], Awaitable[Any]]


class Served(NamedTuple):
    """What can be asked of one kind."""

    list: Answer
    add: Answer
    change: Answer
    drop: Answer


def _served(kind: Kind) -> Served:
    async def list_them(call: Call, _: None) -> ShownSaved:
        site_id = await _site_id(call)
        async with call.parts.pool.connect() as db:
            return ShownSaved(tuple(await list_saved(db, kind, site_id)))

    async def add(call: Call, body: NewSaved) -> Saved:
        site_id = await _site_id(call)
        async with call.parts.pool.begin() as db:
            return await put_saved(db, kind, site_id, body.name, body.filters)

    async def change(call: Call, body: ChangedSaved) -> Saved:
        site_id = await _site_id(call)
        async with call.parts.pool.begin() as db:
            return await change_saved(db, kind, site_id, _saved_id(call), body.name, body.filters)

    async def drop(call: Call, _: None) -> None:
        site_id = await _site_id(call)
        async with call.parts.pool.begin() as db:
            await drop_saved(db, kind, site_id, _saved_id(call))

    for answer, does in ((list_them, "list"), (add, "add"), (change, "change"), (drop, "drop")):
        # What the description calls it.
        answer.__name__ = f"{does}_{kind.noun}"
    return Served(list_them, add, change, drop)


async def _site_id(call: Call) -> int:
    return (await call.site_to_query(call.request.path_params["key"])).site_id


def _saved_id(call: Call) -> int:
    text = call.request.path_params["id"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refusal(Code.NOT_FOUND, f"this site has nothing with the id {text!r}")
    return int(text)


goals, segments, exclusions = (_served(kind) for kind in (GOALS, SEGMENTS, EXCLUSIONS))
