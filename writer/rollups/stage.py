"""The stage as a loop of the writer: it waits for settled commits and steps after them.

Several writers may each run one; whoever holds the lock steps, the others look on.
"""

import asyncio
import logging
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple

from psycopg import Connection

from shared.metrics import ROLLUP_BEHIND_SECONDS, ROLLUP_LAG_COMMITS, ROLLUP_STEP_SECONDS
from writer.database import ANSWER_WITHIN_S, Unavailable
from writer.periodic import is_cancelled
from writer.rollups.step import MOST_EVENTS, step
from writer.rollups.sums import Sums
from writer.session import Session

log = logging.getLogger("writer")

POLL_S = 0.25
STUCK_S = 60.0
_REST = 3
"""While it keeps up, it rests so many times as long as it worked: larger steps cost less."""
_HURRY_S = 2.0
_SHORTEST_REST_S, _LONGEST_REST_S = 0.5, 2.0
_LEAST_EVENTS = 500
_LONGEST_BACKOFF_S = 10.0

_LOOK = """
SELECT settled() - p.commit_no,
  coalesce((SELECT extract(epoch FROM clock_timestamp() - c.at) FROM commits c
    WHERE c.commit_no > p.commit_no ORDER BY c.commit_no LIMIT 1), 0)::float8,
  p.looked_at IS NULL OR p.looked_at < clock_timestamp() - interval '1 s'
FROM rollup_progress p
"""
_LOOKED = """
UPDATE rollup_progress SET looked_at = clock_timestamp()
WHERE looked_at IS NULL OR looked_at < clock_timestamp() - interval '1 s'
"""
# A step that a crash of the database takes back is only made again.
_UNHURRIED = "SET synchronous_commit = off"


class Lag(NamedTuple):
    """How far the rollups are behind: settled commits, and the age of the first commit that they
    do not hold. ``is_stale``: nobody has written down lately that the stage is alive."""

    commits: int
    behind_s: float
    is_stale: bool


class Stage:
    """Runs steps in a thread of its own, on a connection of its own."""

    def __init__(self, postgres_url: str, answer_s: float = ANSWER_WITHIN_S) -> None:
        self._session = Session(postgres_url, "rollups", answer_s)
        self._sums: Sums | None = None
        self._known = 0
        self._most_events = MOST_EVENTS
        self._awake = asyncio.Event()
        self.lag = Lag(0, 0.0, True)
        self.trouble = ""

    async def run(self) -> None:
        """Until cancelled; trouble with the database is waited out."""
        backoff_s = POLL_S
        while not is_cancelled():
            try:
                self._awake.clear()
                rest_s = await self._session.run(self._work)
                self._tell("")
                backoff_s = POLL_S
                if rest_s is None:
                    await self._wait()
                    continue
            except Unavailable as error:
                self._tell(str(error))
                self._most_events = max(self._most_events // 2, _LEAST_EVENTS)
                rest_s, backoff_s = backoff_s, min(backoff_s * 2, _LONGEST_BACKOFF_S)
            except Exception as error:
                if not self.trouble:
                    log.exception("rollups failed")
                self._tell(type(error).__name__)
                rest_s, backoff_s = backoff_s, min(backoff_s * 2, _LONGEST_BACKOFF_S)
            await asyncio.sleep(rest_s)

    def wake(self) -> None:
        """Something was committed: it need not wait for its next look."""
        self._awake.set()

    def readiness(self) -> dict[str, object]:
        """What stands in its way; nothing while it keeps up."""
        if self.trouble:
            return {"rollups": f"wait ({self.trouble})"}
        if self.lag.behind_s > STUCK_S:
            return {"rollups": f"are {self.lag.behind_s:.0f} s behind"}
        return {}

    def close(self) -> None:
        """Give engine, thread and connection back."""
        self._session.close()
        if self._sums is not None:
            self._sums.close()
            self._sums = None

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._awake.wait()

    def _work(self, connection: Connection[Any]) -> float | None:
        """One step; returns for how long to rest after it (s), None: there was none to make."""
        if self._known != self._session.connections:
            connection.execute(_UNHURRIED)
            self._known = self._session.connections
        self._look(connection)
        if not self.lag.commits:
            if self.lag.is_stale:
                connection.execute(_LOOKED)
            return None
        began = monotonic()
        went = step(connection, self._engine(), self._most_events)
        took = monotonic() - began
        if not went:
            return None
        ROLLUP_STEP_SECONDS.observe(took)
        self._most_events = min(self._most_events * 2, MOST_EVENTS)
        self._look(connection)
        return self._rest_s(took)

    def _rest_s(self, took: float) -> float:
        if self.lag.behind_s > _HURRY_S:
            return 0.0
        return min(max(_SHORTEST_REST_S, _REST * took), _LONGEST_REST_S)

    def _engine(self) -> Sums:
        if self._sums is None:
            self._sums = Sums()
        return self._sums

    def _look(self, connection: Connection[Any]) -> None:
        row = connection.execute(_LOOK).fetchone()
        if row is not None:
            self.lag = Lag(*row)
            ROLLUP_LAG_COMMITS.set(self.lag.commits)
            ROLLUP_BEHIND_SECONDS.set(self.lag.behind_s)

    def _tell(self, trouble: str) -> None:
        if bool(trouble) != bool(self.trouble):
            if trouble:
                log.warning("rollups: wait (%s)", trouble)
            else:
                log.info("rollups: go on")
        self.trouble = trouble
