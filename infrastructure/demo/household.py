"""Whose demo it is: one owner and one site, made at the first start."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.database import open_transaction
from api.owners import find_owner, put_owner, reset_password
from api.sign_in_links import put_sign_in_link, sign_in_address
from api.sites import Site, find_site, put_settings, put_site
from infrastructure.zone_here import machine_zone

SITE = "demo.example"
OWNER = "owner@demo.example"
LINK_LASTS = timedelta(hours=1)

_EVENTS_PER_S = 50_000
"""A month of history is sent at once."""


async def settle_in(postgres_url: str, password: str, origins: tuple[str, ...] = ()) -> int:
    """Make what is missing, see that the password works, and give the site's id. Pages of these
    `origins` may send beside the site's own."""
    async with open_transaction(postgres_url) as db:
        if await find_owner(db, OWNER) is None:
            await put_owner(db, OWNER, password)
        else:
            await reset_password(db, OWNER, password)
        return (
            await _settled_site(db, {"origins": origins, "events_per_s": _EVENTS_PER_S})
        ).site_id


async def make_sign_in_link(postgres_url: str, api_url: str) -> str:
    """An address that signs its reader in as the owner, once."""
    async with open_transaction(postgres_url) as db:
        token = await put_sign_in_link(db, OWNER, datetime.now(UTC), LINK_LASTS)
    return sign_in_address(api_url, token)


async def _settled_site(db: AsyncConnection, settings: Mapping[str, Any]) -> Site:
    now = datetime.now(UTC)
    site = await find_site(db, SITE, now)
    if site is None:
        return await put_site(db, SITE, {"time_zone": machine_zone(), **settings}, now)
    return await put_settings(db, site, settings, now)
