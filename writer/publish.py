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
                await self._session.run(partial(_pass, standing, snapshot))
                return
            pipe.multi()  # type: ignore[no-untyped-call]
            pipe.set(REDIS_KEY, self._raw)
            try:
                await pipe.execute()
            except WatchError:
                return
        log.info("snapshot %d.%d is published", *snapshot.order)

    def _standing(self, raw: Any) -> Snapshot | None:
        if raw is None:
            return None
        try:
            return verify(raw, self._signing_key.verify_key)
        except Forged:
            log.warning("what stood for a snapshot on the primary was not signed by this core")
            return None


def _pass(standing: Snapshot, ours: Snapshot, connection: Connection[Any]) -> None:
    """Where edges would never take ours though it is right: give the database an order beyond
    theirs, so that it is published at the next look.

    A greater one may be another writer's, which has read what we have not; one that is greater
    than the database itself is of before a backup was restored.
    """
    if connection.execute(_GO_BEYOND, (standing.epoch + 1, *standing.order)).rowcount:
        log.warning(
            "the database is older than the edges' rules: it was restored, and its count now"
        )
    elif standing.order == ours.order and _says_otherwise(standing, ours):
        connection.execute(_COUNT_UP, ours.order)


def _says_otherwise(standing: Snapshot, ours: Snapshot) -> bool:
    """A sealing key that this writer does not know is a newer one, which another writer has."""
    if not set(standing.seal_keys[:1]) <= set(ours.seal_keys):
        return False
    return _content(standing) != _content(ours)


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
