"""Answers that a client may keep for a moment and then ask whether they still hold.

The tag says what an answer rests on: the commit and its time (in a restored database another has
its number), the settings that decide what is counted, and the question. It is weak: what
``meta`` says beside the numbers may have moved on.
"""

from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from api.query.as_of import read_as_of
from api.sites import Site
from writer.tables import commits, exclusion, site_day

MAX_AGE_S = 10
_VARY = "accept, authorization, cookie"


class Basis(NamedTuple):
    """What every answer about a site rests on, but for the question. ``as_of``: the commit, and
    when it was made."""

    as_of: tuple[int, datetime | None]
    time_zone: str
    exclusions: list[Any]
    days: list[Any]


async def read_basis(db: AsyncConnection, found: Site) -> Basis:
    """As of now, cheaply read."""
    excluded = select(exclusion.c.name, exclusion.c.filters).where(
        exclusion.c.site_id == found.site_id
    )
    states = (
        select(site_day.c.state, func.count())
        .where(site_day.c.site_id == found.site_id)
        .group_by(site_day.c.state)
    )
    return Basis(
        await dated(db, (await read_as_of(db)).commit),
        found.settings.time_zone,
        sorted(map(tuple, await db.execute(excluded)), key=repr),
        sorted(map(tuple, await db.execute(states))),
    )


async def dated(db: AsyncConnection, commit: int) -> tuple[int, datetime | None]:
    """A commit with its time."""
    return commit, await db.scalar(select(commits.c.at).where(commits.c.commit_no == commit))


def make_tag(basis: Basis, *asked: object) -> str:
    """The entity tag of an answer to what is ``asked``."""
    packed = msgspec.msgpack.encode((basis, asked))
    return f'W/"{blake2b(packed, digest_size=16).hexdigest()}"'


def still_holds(request: Request, tag: str) -> bool:
    """Whether the client has just this already."""
    told = request.headers.get("if-none-match", "")
    known = {one.strip().removeprefix("W/") for one in told.split(",")}
    return "*" in known or tag.removeprefix("W/") in known


def not_modified(tag: str) -> Response:
    """What the client has still holds."""
    return cached(Response(status_code=304), tag)


def cached(response: Response, tag: str) -> Response:
    """The same, to be kept by the client alone."""
    response.headers["etag"] = tag
    response.headers["cache-control"] = f"private, max-age={MAX_AGE_S}"
    response.headers["vary"] = _VARY
    return response
