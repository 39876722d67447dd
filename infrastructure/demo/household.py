"""Whose demo it is: one owner and one site, made at the first start."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from api.database import open_transaction
from api.owners import find_owner, put_owner, reset_password
from api.sites import find_site, put_site

SITE = "demo.example"
OWNER = "owner@demo.example"


async def settle_in(postgres_url: str, password: str) -> int:
    """Make what is missing, see that the password works, and give the site's id."""
    async with open_transaction(postgres_url) as db:
        if await find_owner(db, OWNER) is None:
            await put_owner(db, OWNER, password)
        else:
            await reset_password(db, OWNER, password)
        now = datetime.now(UTC)
        site = await find_site(db, SITE, now)
        if site is None:
            site = await put_site(db, SITE, {"time_zone": machine_zone()}, now)
        return site.site_id


def machine_zone(localtime: Path = Path("/etc/localtime")) -> str:
    """The machine's time zone by its IANA name; UTC where it has none."""
    _, found, name = str(localtime.resolve()).partition("/zoneinfo/")
    try:
        return ZoneInfo(name).key if found else "UTC"
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"
