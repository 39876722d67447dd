"""Sites and their settings, kept with history."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from api.wire import convert
from api.zones import NAMES, takeover
from shared.beacon import MAX_PROP_KEY, MAX_SITE, longer
from shared.errors import Code, Refusal
from shared.sites import TIME_ZONE, SiteSettings
from writer.tables import site, site_setting

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
"""From when a site's first settings hold: imported events are older than the site."""

MAX_LIST = 1_000
MAX_EVENTS_PER_S = 1_000_000
MAX_DAYS = 100_000
LEAST_DAYS = {"keep_days": 1, "rows_in_database_days": 8, "keep_rollups_days": 1}
"""For eight days another request may take an event's place: until then its row is at hand."""

_KEY = re.compile(r"[^\s/?#,*\\\x00-\x20\x7f]+")


class Upcoming(msgspec.Struct, frozen=True):
    """A setting that was changed and does not hold yet."""

    name: str
    value: Any
    valid_from: datetime


class Site(msgspec.Struct, frozen=True):
    """One site with the settings that hold now."""

    site_id: int
    key: str
    created_at: datetime
    settings: SiteSettings
    upcoming: tuple[Upcoming, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The zone whose days are counted now."""
        return ZoneInfo(self.settings.time_zone)


async def put_site(
    db: AsyncConnection, key: str, settings: Mapping[str, Any], now: datetime
) -> Site:
    """Add a site. Raises Refusal for a key in use and for faulty settings."""
    check_key(key)
    checked = check_settings(settings)
    statement = insert(site).values(key=key).on_conflict_do_nothing().returning(site.c.site_id)
    site_id = (await db.execute(statement)).scalar_one_or_none()
    if site_id is None:
        raise Refusal(Code.CONFLICT, f"there is a site {key} already", field="key")
    for name in {*settings, TIME_ZONE}:
        await _put_setting(db, site_id, name, getattr(checked, name), FIRST)
    return await read_site(db, key, now)


async def read_sites(db: AsyncConnection, now: datetime, site_id: int | None = None) -> list[Site]:
    """Every site by its key, or the one a key is bound to."""
    statement = select(site).where(site.c.removed_at.is_(None)).order_by(site.c.key)
    if site_id is not None:
        statement = statement.where(site.c.site_id == site_id)
    rows = (await db.execute(statement)).mappings().all()
    history = await _read_history(db, [row["site_id"] for row in rows])
    return [_site(row, history.get(row["site_id"], ()), now) for row in rows]


async def find_site(db: AsyncConnection, key: str, now: datetime) -> Site | None:
    """The site of a key, if there is one."""
    if "\0" in key:
        return None
    statement = select(site).where(site.c.key == key, site.c.removed_at.is_(None))
    row = (await db.execute(statement)).mappings().one_or_none()
    if row is None:
        return None
    history = await _read_history(db, [row["site_id"]])
    return _site(row, history.get(row["site_id"], ()), now)


async def read_site(db: AsyncConnection, key: str, now: datetime) -> Site:
    """The site of a key. Raises Refusal where there is none."""
    found = await find_site(db, key, now)
    if found is None:
        raise Refusal(Code.NOT_FOUND, f"there is no site {key!r}")
    return found


async def put_settings(
    db: AsyncConnection, found: Site, changes: Mapping[str, Any], now: datetime
) -> Site:
    """Change settings from now on, the time zone from a later midnight of its own."""
    current = msgspec.to_builtins(found.settings)
    checked = check_settings({**current, **changes})
    for name in changes:
        value = getattr(checked, name)
        await _drop_upcoming(db, found.site_id, name, now)
        if value != getattr(found.settings, name):
            valid_from = takeover(found.zone, ZoneInfo(value), now) if name == TIME_ZONE else now
            await _put_setting(db, found.site_id, name, value, valid_from)
    return await read_site(db, found.key, now)


def check_key(key: str) -> None:
    """Raises Refusal unless beacons can call a site so."""
    if longer(key, MAX_SITE):
        raise Refusal(Code.TOO_LONG, f"`key` is over {MAX_SITE} bytes", field="key")
    if not key.isascii():
        raise _bad_key(f"browsers call this domain {_ascii(key)}: write it so")
    if not _KEY.fullmatch(key) or key != key.lower() or not key.isprintable():
        raise _bad_key(
            "a site's key is its domain: lower case, without scheme, path, spaces or *",
        )


def _bad_key(message: str) -> Refusal:
    return Refusal(Code.BAD_VALUE, message, field="key")


def _ascii(key: str) -> str:
    try:
        return key.lower().encode("idna").decode("ascii")
    except UnicodeError:
        return "otherwise"


def check_settings(values: Mapping[str, Any]) -> SiteSettings:
    """Raises Refusal that names the faulty setting."""
    unknown = sorted(set(values) - set(SiteSettings.__struct_fields__))
    if unknown:
        raise Refusal(Code.BAD_VALUE, f"there is no setting {unknown[0]!r}", field=unknown[0])
    settings = convert(values, SiteSettings)
    if settings.time_zone not in NAMES:
        raise _bad(TIME_ZONE, f"there is no time zone {settings.time_zone!r}")
    for origin in settings.origins:
        _check_origin(origin)
    for network in settings.excluded:
        _check_network(network)
    _check_names("props", settings.props or ())
    _check_names("query_params", settings.query_params)
    _check_numbers(settings)
    return settings


def _check_origin(origin: str) -> None:
    try:
        parts = urlsplit(origin)
        plain = f"{parts.scheme}://{parts.netloc}" == origin and parts.hostname
    except ValueError:
        plain = None
    if origin != "*" and not (plain and origin.startswith(("http://", "https://"))):
        raise _bad("origins", f"{origin!r} is not an origin such as https://shop.example")


def _check_network(network: str) -> None:
    try:
        ip_network(network)
    except ValueError:
        raise _bad("excluded", f"{network!r} is not a network such as 192.0.2.0/24") from None


def _check_names(setting: str, names: Sequence[str]) -> None:
    if len(names) > MAX_LIST:
        raise Refusal(Code.TOO_MANY, f"`{setting}` has over {MAX_LIST} names", field=setting)
    for name in names:
        if not name or longer(name, MAX_PROP_KEY) or "\0" in name:
            raise _bad(setting, f"{name[:40]!r} is empty, too long or holds NUL")


def _check_numbers(settings: SiteSettings) -> None:
    if len(settings.origins) > MAX_LIST or len(settings.excluded) > MAX_LIST:
        raise Refusal(Code.TOO_MANY, f"a list has over {MAX_LIST} entries")
    for name, least in LEAST_DAYS.items():
        days = getattr(settings, name)
        if days is not None and not least <= days <= MAX_DAYS:
            message = f"`{name}` is outside {least} to {MAX_DAYS}"
            raise Refusal(Code.OUT_OF_RANGE, message, field=name)
    if not 1 <= settings.events_per_s <= MAX_EVENTS_PER_S:
        raise Refusal(
            Code.OUT_OF_RANGE,
            f"`events_per_s` is outside 1 to {MAX_EVENTS_PER_S}",
            field="events_per_s",
        )


def _bad(setting: str, message: str) -> Refusal:
    return Refusal(Code.BAD_VALUE, message, field=setting)


def _site(row: Mapping[Any, Any], history: Sequence[Upcoming], now: datetime) -> Site:
    holding = {change.name: change.value for change in history if change.valid_from <= now}
    upcoming = tuple(change for change in history if change.valid_from > now)
    settings = msgspec.convert(holding, SiteSettings)
    return Site(row["site_id"], row["key"], row["created_at"], settings, upcoming)


async def _read_history(db: AsyncConnection, site_ids: Sequence[int]) -> dict[int, list[Upcoming]]:
    """Changes of each site, oldest first."""
    statement = (
        select(site_setting)
        .where(site_setting.c.site_id.in_(site_ids))
        .order_by(site_setting.c.valid_from)
    )
    history: dict[int, list[Upcoming]] = {}
    for row in await db.execute(statement):
        change = Upcoming(row.name, row.value, row.valid_from)
        history.setdefault(row.site_id, []).append(change)
    return history


async def _put_setting(
    db: AsyncConnection, site_id: int, name: str, value: object, valid_from: datetime
) -> None:
    plain = msgspec.to_builtins(value)
    statement = insert(site_setting).values(
        site_id=site_id, name=name, value=plain, valid_from=valid_from
    )
    keys = [site_setting.c.site_id, site_setting.c.name, site_setting.c.valid_from]
    await db.execute(statement.on_conflict_do_update(index_elements=keys, set_={"value": plain}))


async def _drop_upcoming(db: AsyncConnection, site_id: int, name: str, now: datetime) -> None:
    await db.execute(
        delete(site_setting).where(
            site_setting.c.site_id == site_id,
            site_setting.c.name == name,
            site_setting.c.valid_from > now,
        )
    )
