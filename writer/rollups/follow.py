"""The stage's own loop: it steps after the settled commits, and says how far behind it is.

Several writers may each run one; whoever holds the lock steps, the others look on.
"""

from time import monotonic
from traceback import format_exc
from typing import Any

import msgspec
import psycopg
from psycopg import Connection

from writer.database.connection import Unavailable, connect, unavailable
from writer.rollups.pace import LEAST_EVENTS, next_size, rest_s, size_after_failure
from writer.rollups.step import step
from writer.rollups.sums import Sums
from writer.rollups.wire import Given, Told

POLL_S = 0.25
_LONGEST_BACKOFF_S = 10.0
_LONGEST_TRACE = 8_000

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


class Turn(msgspec.Struct, frozen=True):
    """What one turn came to, and for how long to rest after it (s): ``wakes``, or until something
    is committed."""

    told: Told
    rest_s: float
    wakes: bool = False


class Follower:
    """Makes turn after turn on a connection of its own, which it makes anew after any trouble."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._connection: Connection[Any] | None = None
        self._sums = Sums()
        self._most_events = LEAST_EVENTS
        self._backoff_s = POLL_S
        self._told = Told()

    def turn(self) -> Turn:
        """One step, if there is one to make; trouble with the database is waited out."""
        try:
            self._told = self._work(self._connected())
        except (psycopg.Error, Unavailable) as error:
            self._most_events = size_after_failure(self._most_events)
            known = unavailable(error) if isinstance(error, psycopg.Error) else error
            return self._back_off(str(known))
        except Exception as error:
            return self._back_off(type(error).__name__, format_exc()[-_LONGEST_TRACE:])
        self._backoff_s = POLL_S
        if self._told.step_s is None:
            return Turn(self._told, POLL_S, wakes=True)
        return Turn(self._told, rest_s(self._told.behind_s, self._told.step_s))

    def close(self) -> None:
        """Give engine and connection back."""
        self._drop()
        self._sums.close()

    def _work(self, connection: Connection[Any]) -> Told:
        commits, behind_s, is_stale = self._look(connection)
        if not commits:
            if is_stale:
                connection.execute(_LOOKED)
            return Told()
        began = monotonic()
        if not step(connection, self._sums, self._most_events):
            return Told(commits, behind_s)
        took = monotonic() - began
        self._most_events = next_size(self._most_events, took)
        commits, behind_s, _ = self._look(connection)
        return Told(commits, behind_s, took)

    def _look(self, connection: Connection[Any]) -> tuple[int, float, bool]:
        row = connection.execute(_LOOK).fetchone()
        assert row is not None
        return row[0], row[1], row[2]

    def _connected(self) -> Connection[Any]:
        if self._connection is None:
            self._connection = connect(
                self._given.postgres_url, autocommit=True, answer_s=self._given.answer_s
            )
            self._connection.execute(_UNHURRIED)
        return self._connection

    def _back_off(self, trouble: str, trace: str = "") -> Turn:
        self._drop()
        told = Told(self._told.commits, self._told.behind_s, None, trouble, trace)
        rest_s = self._backoff_s
        self._backoff_s = min(self._backoff_s * 2, _LONGEST_BACKOFF_S)
        return Turn(told, rest_s)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
