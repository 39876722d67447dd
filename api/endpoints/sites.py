"""Sites and their settings."""

from datetime import datetime
from typing import Any

import msgspec

from api.arrivals import read_first_event_at
from api.call import Call
from api.sites import Site, Upcoming, put_settings, put_site, read_site, read_sites
from api.snippet import snippet
from shared.errors import Code, Refusal
from shared.sites import SiteSettings


class NewSite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``key``: the site's domain. ``settings``: what differs from the defaults."""

    key: str
    settings: dict[str, Any] = {}


class ShownSite(msgspec.Struct, frozen=True):
    """``upcoming``: settings that hold from a later moment. ``snippet``: for the site's pages."""

    key: str
    created_at: datetime
    settings: SiteSettings
    upcoming: tuple[Upcoming, ...]
    snippet: str


class LookedAtSite(ShownSite, frozen=True):
    """``first_event_at``: when the first event that counts happened, null until there is one."""

    first_event_at: datetime | None


class ShownSites(msgspec.Struct, frozen=True):
    """By key."""

    sites: tuple[ShownSite, ...]


async def list_sites(call: Call, _: None) -> ShownSites:
    """Every site that the caller may see."""
    async with call.parts.pool.connect() as db:
        sites = await read_sites(db, call.now, call.bound_site_id())
    return ShownSites(tuple(_shown(call, found) for found in sites))


async def add_site(call: Call, body: NewSite) -> ShownSite:
    """Raises Refusal."""
    call.require_every_site()
    async with call.parts.pool.begin() as db:
        return _shown(call, await put_site(db, body.key, body.settings, call.now))


async def show_site(call: Call, _: None) -> LookedAtSite:
    """Raises Refusal."""
    async with call.parts.pool.connect() as db:
        found = await read_site(db, call.request.path_params["key"], call.now)
        _check_bound(call, found)
        first = await read_first_event_at(db, found)
    return LookedAtSite(**msgspec.structs.asdict(_shown(call, found)), first_event_at=first)


async def change_site(call: Call, body: dict[str, Any]) -> ShownSite:
    """Settings by name. Raises Refusal."""
    async with call.parts.pool.begin() as db:
        found = await read_site(db, call.request.path_params["key"], call.now)
        _check_bound(call, found)
        return _shown(call, await put_settings(db, found, body, call.now))


def _check_bound(call: Call, found: Site) -> None:
    if call.bound_site_id() not in (None, found.site_id):
        raise Refusal(Code.FORBIDDEN, "this key is bound to another site")


def _shown(call: Call, found: Site) -> ShownSite:
    line = snippet(call.parts.settings.edge_url, found.key)
    return ShownSite(found.key, found.created_at, found.settings, found.upcoming, line)
