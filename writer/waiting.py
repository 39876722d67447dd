"""Stores the events that waited for their day, once its rows are back from the archive.

They go the way of a replay: prepared anew, stored and closed in one transaction, so that each is
stored once whoever dies, and by whichever writer is first.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from psycopg import Connection

from shared.metrics import WRITER_WAITING
from writer.database.session import Session
from writer.quarantine.replay import Replay

log = logging.getLogger("writer")

MakeReplay = Callable[[Connection[Any]], AbstractContextManager[Replay]]

_AT_ONCE = 200
_LOOK = """
SELECT count(*), count(*) FILTER (WHERE d.state <> 'file')
FROM quarantine q JOIN site_day d USING (site_id, day) WHERE q.state = 'waiting'
"""
_READY = """
SELECT quarantine_id FROM quarantine q JOIN site_day d USING (site_id, day)
WHERE q.state = 'waiting' AND d.state <> 'file' ORDER BY quarantine_id LIMIT %s
"""


class Waiting:
    """``look`` is a session of whoever asks again and again; the work has one of its own."""

    def __init__(self, look: Session, work: Session, make_replay: MakeReplay) -> None:
        self._look = look
        self._work = work
        self._make_replay = make_replay

    async def store_ready(self) -> None:
        """Raises Unavailable."""
        waiting, ready = await self._look.run(_look)
        WRITER_WAITING.set(waiting)
        if ready:
            stored = await self._work.run(self._store)
            log.info("%d events were stored that waited for their day", stored)

    def close(self) -> None:
        """Give thread and connection back."""
        self._work.close()

    def _store(self, connection: Connection[Any]) -> int:
        with self._make_replay(connection) as replay:
            return store_ready(connection, replay)


def store_ready(connection: Connection[Any], replay: Replay) -> int:
    """Store what need not wait any more, in an autocommit connection; returns how many events."""
    found = [number for (number,) in connection.execute(_READY, (_AT_ONCE,))]
    for number in found:
        replay.replay(number)
    return len(found)


def _look(connection: Connection[Any]) -> tuple[int, int]:
    """How many wait, and how many of these need not any more."""
    waiting, ready = connection.execute(_LOOK).fetchone() or (0, 0)
    return waiting, ready
