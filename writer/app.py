"""Everything of one writer process, built in one place."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey
from psycopg import Connection
from redis.asyncio import Redis

from shared.clock import Clock, system_clock
from shared.keys import read_signing_key
from shared.redis_connection import connect
from shared.settings import WriterSettings
from writer.apart import Apart, Careful
from writer.consume import BLOCK_MS, Consumer, Limits
from writer.database.promises import Promises
from writer.database.session import Session
from writer.enrich.place import Geo
from writer.known.key_ring import KeyRing
from writer.ledger.keeper import Ledger
from writer.ledger.stored_ranges import StoredRanges
from writer.periodic import every
from writer.prepare import Preparer
from writer.publish import Publisher
from writer.quarantine.keeping import Quarantine
from writer.quarantine.replay import Replay
from writer.rollups.stage import Stage
from writer.store import Store
from writer.stream_watch import StreamWatch
from writer.waiting import Waiting

_REDIS_TIMEOUT_S = 5.0
_POLL_S = 1.0
_LEDGER_S = 5.0


def make_preparer(settings: WriterSettings, seal_keys_file: Path | None = None) -> Preparer:
    """What the process for entries under suspicion works with."""
    return Preparer(
        settings.postgres_url,
        KeyRing(settings.seal_keys, seal_keys_file),
        Geo(settings.geo_dir),
        system_clock,
        settings.rows_keep_days,
        settings.writer_answer_s,
    )


@contextmanager
def _replaying(
    settings: WriterSettings,
    private_keys: KeyRing,
    seal_keys_file: Path | None,
    connection: Connection[Any],
) -> Iterator[Replay]:
    """Made when something is to be replayed: a second look at places and sites costs memory."""
    preparer = make_preparer(settings, seal_keys_file)
    promises = Promises(settings.writer_strict)
    quarantine = Quarantine(private_keys)
    store = Store(settings.postgres_url, quarantine, settings.writer_answer_s, promises)
    try:
        yield Replay(connection, private_keys, preparer, store)
    finally:
        preparer.close()
        store.close()


def _nothing() -> None:
    return None


class Writer:
    """The consumer and the loops beside it. Use as ``async with running_writer(…)``."""

    def __init__(
        self,
        settings: WriterSettings,
        clock: Clock = system_clock,
        after_commit: Callable[[], None] = _nothing,
        seal_keys_file: Path | None = None,
    ) -> None:
        private_keys = KeyRing(settings.seal_keys, seal_keys_file)
        signing_key: SigningKey = read_signing_key(settings.signing_key)
        # A blocking read is answered late on purpose.
        self.redis: Redis = connect(
            settings.primary_url, _REDIS_TIMEOUT_S + BLOCK_MS / 1_000, connect_timeout_s=1.0
        )
        answer_s = settings.writer_answer_s
        self.session = Session(settings.postgres_url, "beside", answer_s)
        self.promises = Promises(settings.writer_strict)
        preparer = Preparer(
            settings.postgres_url,
            private_keys,
            Geo(settings.geo_dir),
            clock,
            settings.rows_keep_days,
            answer_s,
        )
        self.rollups = Stage(settings.postgres_url, answer_s) if settings.rollups else None
        self.careful = Careful(preparer, Apart(partial(make_preparer, settings, seal_keys_file)))
        self.consumer = Consumer(
            self.redis,
            settings.writer_name,
            Limits(
                settings.writer_read_events,
                settings.writer_read_batches,
                settings.writer_claim_after_s,
            ),
            self.careful,
            Store(settings.postgres_url, Quarantine(private_keys), answer_s, self.promises),
            self.session,
            self.promises,
            self._committed,
            self._give_way,
        )
        self.publisher = Publisher(self.session, self.redis, signing_key, private_keys, clock)
        self.ledger = Ledger(self.session, self.redis)
        self.stream_watch = StreamWatch(self.redis)
        self.waiting = Waiting(
            self.session,
            Session(settings.postgres_url, "waiting", answer_s),
            partial(_replaying, settings, private_keys, seal_keys_file),
        )
        self.stored_ranges = StoredRanges(self.session, self.redis, clock)
        self._keep_s = settings.writer_claim_after_s / 3
        self._after_commit = after_commit

    def readiness(self) -> dict[str, object]:
        """Whether it can store now; while the database takes nothing, why."""
        database, primary = self.consumer.database, self.consumer.primary_up
        state: dict[str, object] = {
            "ready": self.consumer.is_running and database.up and primary,
            "database": database.up,
            "primary": primary,
        }
        if self.stream_watch.faults:
            state["streams"] = self.stream_watch.faults
        if self.rollups is not None:
            state |= self.rollups.readiness()
        if self.promises.weak:
            state["weaker_promises"] = {"database": list(self.promises.weak)}
        return state if database.up else {**state, "database_trouble": database.why}

    async def run(self) -> None:
        """Until ``consumer.stop()``, or cancelled."""
        async with asyncio.TaskGroup() as beside:
            loops = [
                beside.create_task(every(_POLL_S, "edges", self.consumer.follow_edges)),
                beside.create_task(every(_POLL_S, "acknowledgements", self.consumer.look_after)),
                beside.create_task(every(self._keep_s, "claims", self.consumer.keep_claims)),
                beside.create_task(every(_POLL_S, "snapshot", self.publisher.publish)),
                beside.create_task(every(_POLL_S, "streams", self._look_at_streams)),
                beside.create_task(every(_POLL_S, "heartbeats", self.ledger.copy_heartbeats)),
                beside.create_task(every(_POLL_S, "journals", self.stored_ranges.publish)),
                beside.create_task(every(_LEDGER_S, "ledger", self.ledger.look_for_losses)),
                beside.create_task(every(_LEDGER_S, "waiting", self.waiting.store_ready)),
            ]
            if self.rollups is not None:
                loops.append(beside.create_task(self.rollups.run()))
            try:
                await self.consumer.run()
            finally:
                for loop in loops:
                    loop.cancel()

    def _committed(self) -> None:
        self._after_commit()
        if self.rollups is not None:
            self.rollups.wake()

    def _give_way(self, read_s: float) -> float:
        return 0.0 if self.rollups is None else self.rollups.give_way_s(read_s)

    async def _look_at_streams(self) -> None:
        await self.stream_watch.look(self.consumer.edges)

    async def close(self) -> None:
        """Give all connections back."""
        self.session.close()
        self.waiting.close()
        await self.redis.aclose()


@asynccontextmanager
async def running_writer(
    settings: WriterSettings,
    clock: Clock = system_clock,
    after_commit: Callable[[], None] = _nothing,
) -> AsyncIterator[Writer]:
    """A writer at work, ended in order at the end of the block."""
    writer = Writer(settings, clock, after_commit)
    running = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        writer.consumer.stop()
        await running
        await writer.close()
