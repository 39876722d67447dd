"""Keeps the edge's rules current: from the primary, and from the spool's copy in an outage."""

import logging

from nacl.signing import VerifyKey
from redis.asyncio import Redis
from redis.exceptions import RedisError

from edge.admission.guard import Guard
from edge.admission.rules import Rules
from edge.batches.seal import Sealer
from shared.metrics import EDGE_SNAPSHOT_VERSION
from shared.snapshot import REDIS_KEY, Forged, Snapshot, verify

_log = logging.getLogger("edge")


class Snapshots:
    """Takes only what the pinned key signed, and only what is newer than what it has."""

    def __init__(
        self, key: VerifyKey, guard: Guard, sealer: Sealer, workers: int, spool: Redis
    ) -> None:
        self._key = key
        self._guard = guard
        self._sealer = sealer
        self._workers = workers
        self._spool = spool
        self._current: Snapshot | None = None
        self._in_use: bytes | None = None
        self._judged: bytes | None = None
        self._kept: bytes | None = None

    async def recall(self) -> None:
        """Until there is one: what an earlier run kept in the spool."""
        if self._current is not None:
            return
        try:
            raw = await self._spool.get(REDIS_KEY)
        except (RedisError, OSError):
            return
        if isinstance(raw, bytes) and self.offer(raw):
            self._kept = raw

    async def refresh(self, primary: Redis) -> None:
        """Look at the primary for a newer one. Raises RedisError, OSError."""
        raw = await primary.get(REDIS_KEY)
        if not isinstance(raw, bytes):
            return
        if raw != self._judged:
            self._judged = raw
            self.offer(raw)
        if raw == self._in_use != self._kept:
            await self._keep(raw)

    def offer(self, raw: bytes) -> bool:
        """Use these bytes if they are sound and newer; whether they were."""
        try:
            snapshot = verify(raw, self._key)
            if self._current is not None and snapshot.order <= self._current.order:
                return False
            rules = Rules(snapshot, self._workers)
            self._sealer.use(snapshot)
        except (Forged, ValueError) as error:
            _log.warning("a snapshot was not taken: %s", type(error).__name__)
            return False
        self._guard.use(rules)
        self._current, self._in_use = snapshot, raw
        EDGE_SNAPSHOT_VERSION.set(snapshot.version)
        return True

    async def _keep(self, raw: bytes) -> None:
        try:
            await self._spool.set(REDIS_KEY, raw)
            self._kept = raw
        except (RedisError, OSError) as error:
            _log.warning("the spool did not keep the snapshot: %s", type(error).__name__)
