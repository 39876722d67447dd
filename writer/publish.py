"""Builds the snapshot that edges need, signs it, and puts it on the primary."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from nacl.signing import SigningKey
from psycopg import Connection
from redis.asyncio import Redis
from redis.exceptions import WatchError

from shared.clock import Clock
from shared.snapshot import REDIS_KEY, Forged, KeyRules, SiteRules, Snapshot, sign, verify
from writer.database.session import Session
from writer.known.key_ring import KeyRing
from writer.known.sites import ApiKey, Site, SiteBook, read_sites

log = logging.getLogger("writer")

_GO_BEYOND = """
UPDATE snapshot_version SET epoch = greatest(%s, extract(epoch FROM clock_timestamp())::bigint)
WHERE (epoch, version) < (%s, %s)
"""
_COUNT_UP = "UPDATE snapshot_version SET version = version + 1 WHERE (epoch, version) = (%s, %s)"


class Publisher:
    """Publishes whenever the database's version has grown, or the primary has lost it."""

    def __init__(
        self,
        session: Session,
        redis: Redis,
        signing_key: SigningKey,
        ring: KeyRing,
        clock: Clock,
    ) -> None:
        self._session = session
        self._redis = redis
        self._signing_key = signing_key
        self._ring = ring
        self._seal_keys = ring.publics
        self._clock = clock
        self._book = SiteBook()
        self._snapshot: Snapshot | None = None
        self._raw = b""
        self._has_compared = False

    async def publish(self) -> None:
        """One look at both sides."""
        self._ring.refresh()
        book = await self._session.run(self._read)
        if book is not self._book or self._ring.publics != self._seal_keys or not self._snapshot:
            self._book, self._seal_keys = book, self._ring.publics
            self._snapshot = build(book, self._seal_keys, self._clock())
            self._raw = sign(self._snapshot, self._signing_key)
        await self._put_if_greater(self._snapshot)

    def _read(self, connection: Connection[Any]) -> SiteBook:
        return read_sites(connection, self._book)

    async def _put_if_greater(self, snapshot: Snapshot) -> None:
        """Two writers may publish at once: the key is watched between look and write."""
        async with self._redis.pipeline(transaction=True) as pipe:
            await pipe.watch(REDIS_KEY)
            standing = self._standing(await pipe.get(REDIS_KEY))
            if standing is not None and standing.order >= snapshot.order:
                await self._pass_if_wrong(standing, snapshot)
                return
            pipe.multi()  # type: ignore[no-untyped-call]
            pipe.set(REDIS_KEY, self._raw)
            try:
                await pipe.execute()
            except WatchError:
                return
        log.info("snapshot %d.%d is published", *snapshot.order)

    async def _pass_if_wrong(self, standing: Snapshot, ours: Snapshot) -> None:
        """Edges would never take ours, though it may be right: of a restored database, of as many
        changes after the backup as came to nothing, or of a new sealing key."""
        is_greater = standing.order > ours.order
        if is_greater or _names_an_older_key(standing, ours) or self._is_news(standing, ours):
            await self._session.run(partial(_pass, standing, is_greater))

    def _is_news(self, standing: Snapshot, ours: Snapshot) -> bool:
        """Looked at once: another writer may always build something else, of another version of
        the product for one, and the two would count for ever."""
        if self._has_compared or _names_a_newer_key(standing, ours):
            return False
        self._has_compared = True
        return _content(standing) != _content(ours)

    def _standing(self, raw: Any) -> Snapshot | None:
        if raw is None:
            return None
        try:
            return verify(raw, self._signing_key.verify_key)
        except Forged:
            log.warning("what stood for a snapshot on the primary was not signed by this core")
            return None


def _pass(standing: Snapshot, is_restored: bool, connection: Connection[Any]) -> None:
    """Give the database an order beyond that of the edges, so that ours is published at the next
    look. ``is_restored``: only if theirs is greater than the database's own, and not just greater
    than what we have read of it."""
    if not is_restored:
        connection.execute(_COUNT_UP, standing.order)
    elif connection.execute(_GO_BEYOND, (standing.epoch + 1, *standing.order)).rowcount:
        log.warning(
            "the database is older than the edges' rules: it was restored, and its rules count now"
        )


def _names_an_older_key(standing: Snapshot, ours: Snapshot) -> bool:
    """A key that this writer does not know is a newer one, which another writer has."""
    return standing.seal_keys[:1] != ours.seal_keys[:1] and not _names_a_newer_key(standing, ours)


def _names_a_newer_key(standing: Snapshot, ours: Snapshot) -> bool:
    return not set(standing.seal_keys[:1]) <= set(ours.seal_keys)


def _content(of: Snapshot) -> tuple[object, ...]:
    return of.seal_keys[:1], frozenset(of.sites), frozenset(of.keys)


def build(book: SiteBook, seal_keys: tuple[str, ...], now: int) -> Snapshot:
    """The snapshot of all sites and live keys, as of ``now`` in µs."""
    keys_by_id = {site.site_id: site.key for site in book.sites.values()}
    return Snapshot(
        epoch=book.order[0],
        version=book.order[1],
        issued_at=now,
        seal_keys=seal_keys,
        sites=tuple(_rules(site, now) for site in book.sites.values()),
        keys=tuple(
            KeyRules(digest, _site_of(key, keys_by_id), tuple(sorted(key.scopes)))
            for digest, key in book.keys.items()
            if key.revoked_at is None and (key.site_id is None or key.site_id in keys_by_id)
        ),
    )


def _site_of(key: ApiKey, keys_by_id: Mapping[int, str]) -> str | None:
    return None if key.site_id is None else keys_by_id[key.site_id]


def _rules(site: Site, now: int) -> SiteRules:
    settings = site.settings_at(now)
    return SiteRules(
        site=site.key,
        origins=settings.origins,
        excluded=settings.excluded,
        honour_dnt=settings.honour_dnt,
        events_per_s=settings.events_per_s,
    )
