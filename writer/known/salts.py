"""Salts of visitor ids: one a site and day, written down before its first use.

While a day's live salt exists it is used. What comes after its salt is gone gets a new
generation, of the kind ``import``, which goes 48 h after its last use.
"""

from collections.abc import Iterable
from secrets import token_bytes
from typing import Any, NamedTuple

from psycopg import Connection

from shared.clock import US_PER_HOUR, US_PER_SECOND, Clock
from writer.known.zones import Day, as_date

SALT_BYTES = 32
KEPT_AFTER_DAY_US = 48 * US_PER_HOUR
_TRUSTED_US = 10 * US_PER_SECOND
"""A salt is read again after so long: a job may have deleted it."""
_NOTED_US = US_PER_HOUR

_FIND = """
SELECT salt, generation FROM salt WHERE site_id = %s AND day = %s AND salt IS NOT NULL
ORDER BY kind = 'live' DESC, generation DESC LIMIT 1
"""
# Two writers may look for it at once: whichever comes second finds the first one's in its snapshot,
# or the place of the generation taken.
_PUT = """
INSERT INTO salt (site_id, day, generation, kind, salt)
SELECT %(site)s, %(day)s, coalesce(max(generation), 0) + 1, %(kind)s, %(salt)s
FROM salt WHERE site_id = %(site)s AND day = %(day)s
HAVING bool_or(salt IS NOT NULL) IS NOT TRUE
ON CONFLICT DO NOTHING
"""
_USED = """
UPDATE salt SET last_used_at = now()
WHERE site_id = %s AND day = %s AND generation = %s AND salt IS NOT NULL
"""


class _Known(NamedTuple):
    salt: bytes
    read_at: int
    noted_at: int


class SaltBook:
    """Salts in use, for as long as they may be trusted without a look at the database."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[tuple[int, int], _Known] = {}

    def settle(
        self, connection: Connection[Any], wanted: Iterable[tuple[int, Day]]
    ) -> dict[tuple[int, int], bytes]:
        """Salts by (site, day's number). In autocommit: each stands before it is used."""
        now = self._clock()
        self._forget(now)
        salts: dict[tuple[int, int], bytes] = {}
        for site_id, day in wanted:
            key = (site_id, day.number)
            known = self._known.get(key)
            if known is None or now - known.read_at > _TRUSTED_US:
                known = self._known[key] = _read(connection, site_id, day, now, known)
            salts[key] = known.salt
        return salts

    def _forget(self, now: int) -> None:
        gone = [key for key, known in self._known.items() if now - known.read_at > _NOTED_US]
        for key in gone:
            del self._known[key]


def _read(
    connection: Connection[Any], site_id: int, day: Day, now: int, known: _Known | None
) -> _Known:
    date = as_date(day.number)
    while (row := connection.execute(_FIND, (site_id, date)).fetchone()) is None:
        kind = "live" if now < day.ends_at + KEPT_AFTER_DAY_US else "import"
        values = {"site": site_id, "day": date, "kind": kind, "salt": token_bytes(SALT_BYTES)}
        connection.execute(_PUT, values)
    salt, generation = bytes(row[0]), row[1]
    noted_at = known.noted_at if known is not None and known.salt == salt else 0
    if now - noted_at > _NOTED_US:
        connection.execute(_USED, (site_id, date, generation))
        noted_at = now
    return _Known(salt, now, noted_at)
