"""What can be seen of the product at one moment, read where each figure is true."""

import contextlib
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import msgspec
import psycopg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from infrastructure.local.installation import EDGE
from infrastructure.local.product import Product
from shared.heartbeat import DRAIN_FIELD, DrainBeat, redis_key
from shared.redis_connection import connect

_TIMEOUT_S = 0.5
_STREAM = f"ingest:{EDGE}"
_STORED = """
SELECT settled(), coalesce(sum(events), 0)::bigint FROM commits WHERE commit_no > %s
"""


class Sight(NamedTuple):
    """``spooled``, ``drained`` and ``in_flight`` in batches, the last in the primary's stream;
    ``stored`` in events since the start; ``commit``: the last settled one."""

    primary_up: bool = True
    spooled: int = 0
    drained: int = 0
    in_flight: int = 0
    stored: int = 0
    commit: int = 0

    @property
    def all_handed_over(self) -> bool:
        return self.primary_up and not self.spooled and not self.in_flight


@dataclass
class Lookout:
    """Looks at primary, spool and database; where one cannot be reached, its last figure stands."""

    primary: Redis
    spool: Redis
    database: psycopg.AsyncConnection
    postgres_url: str
    first_commit: int
    _last: Sight = field(default_factory=Sight, init=False)

    @classmethod
    async def open(cls, product: Product) -> Self:
        database = await _connect(product.postgres_url)
        settled = await (await database.execute("select settled()")).fetchone()
        assert settled is not None
        return cls(
            connect(product.stack.primary_url, _TIMEOUT_S),
            connect(product.stack.spool_url, _TIMEOUT_S),
            database,
            product.postgres_url,
            settled[0],
        )

    async def look(self) -> Sight:
        await self._look_at_primary()
        await self._look_at_spool()
        await self._look_at_database()
        return self._last

    async def close(self) -> None:
        await self.primary.aclose()
        await self.spool.aclose()
        await self.database.close()

    async def _look_at_primary(self) -> None:
        try:
            in_flight = await self.primary.xlen(_STREAM)
            beat = await self.primary.hget(redis_key(EDGE), DRAIN_FIELD)
        except (RedisError, OSError):
            self._last = self._last._replace(primary_up=False)
            return
        self._last = self._last._replace(primary_up=True, in_flight=in_flight)
        if isinstance(beat, bytes):
            drained = msgspec.msgpack.decode(beat, type=DrainBeat).drained_batches
            self._last = self._last._replace(drained=drained)

    async def _look_at_spool(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            self._last = self._last._replace(spooled=await self.spool.xlen(_STREAM))

    async def _look_at_database(self) -> None:
        with contextlib.suppress(psycopg.Error):
            if self.database.closed:
                self.database = await _connect(self.postgres_url)
            found = await self.database.execute(_STORED, [self.first_commit])
            row = await found.fetchone()
            assert row is not None
            self._last = self._last._replace(commit=row[0], stored=row[1])


async def _connect(postgres_url: str) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(postgres_url, autocommit=True, connect_timeout=2)
