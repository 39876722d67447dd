"""Sites, their settings with history, and API keys, in memory and as fresh as each read needs."""

import logging
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from zoneinfo import ZoneInfoNotFoundError

import msgspec
from psycopg import Connection

from shared.bots import Pattern
from shared.sites import TIME_ZONE, SiteSettings
from writer.enrich.bot import BotPattern
from writer.known.zones import ZoneChange, us, zone

log = logging.getLogger("writer")


class Site(msgspec.Struct, frozen=True):
    """One site. ``changes[i]`` begins ``settings[i]``; the first holds for all time before."""

    site_id: int
    key: str
    changes: tuple[int, ...]
    settings: tuple[SiteSettings, ...]
    zones: tuple[ZoneChange, ...]

    def settings_at(self, moment: int) -> SiteSettings:
        """What held at a moment (µs), less whatever has been taken away since."""
        if len(self.settings) == 1:
            return self.settings[0]
        return self.settings[max(bisect_right(self.changes, moment) - 1, 0)]


class ApiKey(NamedTuple):
    """``site_id`` None: good for every site. ``revoked_at`` in µs."""

    site_id: int | None
    scopes: frozenset[str]
    revoked_at: int | None


class SiteBook(msgspec.Struct, frozen=True):
    """All that is known of sites and keys as of one snapshot version."""

    order: tuple[int, int] = (0, 0)
    sites: dict[str, Site] = {}
    keys: dict[bytes, ApiKey] = {}
    bots: tuple[BotPattern, ...] = ()


class Setting(NamedTuple):
    """One change of one setting, ``valid_from`` in µs."""

    name: str
    valid_from: int
    value: Any


_ORDER = "SELECT epoch, version FROM snapshot_version"
_SITES = "SELECT site_id, key FROM site WHERE removed_at IS NULL"
_SETTINGS = "SELECT site_id, name, valid_from, value FROM site_setting ORDER BY valid_from"
_BOTS = """
SELECT site_id, valid_from, valid_until, name, kind, pattern, allows
FROM bot_pattern ORDER BY pattern_id
"""
_KEYS = "SELECT digest, site_id, scopes, revoked_at FROM api_key"


def read_sites(connection: Connection[Any], known: SiteBook) -> SiteBook:
    """The book as of now; ``known`` itself when nothing has changed since."""
    # Not in the transaction: this is asked before every read, and three statements cost thrice.
    order = _read_order(connection)
    if order == known.order:
        return known
    with connection.transaction():
        history = _read_history(connection)
        sites = {
            key.lower(): make_site(site_id, key, history.get(site_id, []))
            for site_id, key in connection.execute(_SITES)
        }
        keys = {
            bytes(digest): ApiKey(site_id, frozenset(scopes), revoked and us(revoked))
            for digest, site_id, scopes, revoked in connection.execute(_KEYS)
        }
        return SiteBook(order, sites, keys, tuple(_read_bots(connection)))


def _read_bots(connection: Connection[Any]) -> Iterator[BotPattern]:
    for site_id, since, until, *pattern in connection.execute(_BOTS):
        yield BotPattern(site_id, us(since), until and us(until), Pattern(*pattern))


def _read_order(connection: Connection[Any]) -> tuple[int, int]:
    row = connection.execute(_ORDER).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _read_history(connection: Connection[Any]) -> dict[int, list[Setting]]:
    history: dict[int, list[Setting]] = {}
    for site_id, name, valid_from, value in connection.execute(_SETTINGS):
        history.setdefault(site_id, []).append(Setting(name, us(valid_from), value))
    return history


def make_site(site_id: int, key: str, history: Iterable[Setting]) -> Site:
    """A site from the changes of its settings, oldest first."""
    changes = [change for change in history if _is_sound(change)]
    latest: dict[str, Any] = {}
    moments: dict[int, SiteSettings] = {0: SiteSettings()}
    for change in changes:
        latest[change.name] = change.value
        moments[max(change.valid_from, 0)] = msgspec.convert(latest, SiteSettings)
    now = list(moments.values())[-1]
    zones = tuple(
        ZoneChange(change.valid_from, change.value)
        for change in changes
        if change.name == TIME_ZONE
    )
    return Site(
        site_id,
        key,
        tuple(moments),
        tuple(_less_what_went(then, now) for then in moments.values()),
        zones or (ZoneChange(0, SiteSettings().time_zone),),
    )


def _is_sound(change: Setting) -> bool:
    """Whatever stands in the table, one site's setting must not stop the others' events."""
    try:
        settings = msgspec.convert({change.name: change.value}, SiteSettings)
        zone(settings.time_zone)
    except (msgspec.ValidationError, ZoneInfoNotFoundError, ValueError):
        log.error("setting %r has a value that cannot be used", change.name)
        return False
    return change.name in SiteSettings.__struct_fields__


def _less_what_went(then: SiteSettings, now: SiteSettings) -> SiteSettings:
    """Privacy switches: what was allowed then and is not now, is not; retention is today's."""
    return msgspec.structs.replace(
        then,
        allow_user_id=then.allow_user_id and now.allow_user_id,
        query_params=tuple(name for name in then.query_params if name in now.query_params),
        props=_both(then.props, now.props),
        excluded=tuple(dict.fromkeys(then.excluded + now.excluded)),
        keep_days=now.keep_days,
    )


def _both(then: tuple[str, ...] | None, now: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if then is None:
        return now
    return then if now is None else tuple(name for name in then if name in now)
