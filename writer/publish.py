"""Builds the snapshot that edges need, signs it, and puts it on the primary."""

import logging
from collections.abc import Mapping
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
        self._raw = b""

    async def publish(self) -> None:
        """One look at both sides."""
        self._ring.refresh()
        book = await self._session.run(self._read)
        if book is not self._book or self._ring.publics != self._seal_keys or not self._raw:
            self._book, self._seal_keys = book, self._ring.publics
            snapshot = build(book, self._seal_keys, self._clock())
            self._raw = sign(snapshot, self._signing_key)
        await self._put_if_greater(book.order)

    def _read(self, connection: Connection[Any]) -> SiteBook:
        return read_sites(connection, self._book)

    async def _put_if_greater(self, order: tuple[int, int]) -> None:
        """Two writers may publish at once: the key is watched between look and write."""
        async with self._redis.pipeline(transaction=True) as pipe:
            await pipe.watch(REDIS_KEY)
            standing = self._standing(await pipe.get(REDIS_KEY))
            if standing is not None and standing.order >= order:
                if standing.order == order and self._names_an_older_key(standing):
                    await self._session.run(_count_up)
                return
            pipe.multi()  # type: ignore[no-untyped-call]
            pipe.set(REDIS_KEY, self._raw)
            try:
                await pipe.execute()
            except WatchError:
                return
        log.info("snapshot %d.%d is published", *order)

    def _names_an_older_key(self, standing: Snapshot) -> bool:
        """A key that this writer does not know is a newer one, which another writer has."""
        return standing.seal_keys[:1] != self._seal_keys[:1] and set(standing.seal_keys[:1]) <= set(
            self._seal_keys
        )

    def _standing(self, raw: Any) -> Snapshot | None:
        if raw is None:
            return None
        try:
            return verify(raw, self._signing_key.verify_key)
        except Forged:
            log.warning("what stood for a snapshot on the primary was not signed by this core")
            return None


def _count_up(connection: Connection[Any]) -> None:
    """So that edges take a snapshot which differs in its keys alone; published at the next look."""
    connection.execute("UPDATE snapshot_version SET version = version + 1")


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
