"""One step of the stage, from one settled commit to a later one, in one transaction.

The rollups always hold for ``rollup_progress.commit_no``, which moves in the transaction that
adds the difference: a step that is cut off at any moment was never made.
"""

from typing import Any

from psycopg import Connection

from shared.failpoints import reach
from writer.database.locks import Lock, trying
from writer.rollups.days import find_changed, put_props, read_left_out, read_props, touch
from writer.rollups.pace import MOST_EVENTS
from writer.rollups.put import leave_out, put
from writer.rollups.read import reading_changed
from writer.rollups.sums import Sums

_MOST_COMMITS = 2_000

_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
_NEXT = """
SELECT after, max(commit_no) FILTER (WHERE so_far <= %(most)s OR nth = 1) FROM (
  SELECT p.commit_no AS after, c.commit_no, sum(c.events) OVER (ORDER BY c.commit_no) AS so_far,
    row_number() OVER (ORDER BY c.commit_no) AS nth
  FROM rollup_progress p JOIN commits c ON c.commit_no > p.commit_no AND c.commit_no <= settled()
  ORDER BY c.commit_no LIMIT %(commits)s
) ahead GROUP BY after
"""
_GO_ON = """
UPDATE rollup_progress SET commit_no = %s, looked_at = clock_timestamp() WHERE commit_no = %s
"""


def step(
    connection: Connection[Any], sums: Sums | None = None, most_events: int = MOST_EVENTS
) -> bool:
    """On an autocommit connection. False: there was nothing to do, or another is at it."""
    with trying(connection, Lock.ROLLUPS) as is_mine:
        if not is_mine:
            return False
        if sums is not None:
            return _step(connection, sums, most_events)
        own = Sums()
        try:
            return _step(connection, own, most_events)
        finally:
            own.close()


def _step(connection: Connection[Any], sums: Sums, most_events: int) -> bool:
    with connection.transaction():
        connection.execute(_SNAPSHOT)
        values = {"most": most_events, "commits": _MOST_COMMITS}
        ahead = connection.execute(_NEXT, values).fetchone()
        if ahead is None:
            return False
        after, upto = ahead
        sums.room.begin(after, upto)
        _add(connection, sums, after, upto)
        connection.execute(_GO_ON, (upto, after))
        reach("summed")
    reach("rolled_up")
    return True


def _add(connection: Connection[Any], sums: Sums, after: int, upto: int) -> None:
    changed = find_changed(connection, after, upto)
    if changed is None:
        return
    props = read_props(connection, changed.days)
    sums.begin(read_left_out(connection, changed.days))
    with reading_changed(connection, changed, props) as events:
        exploded = sums.add(events)
    # All that writes comes last: while it lasts, no later commit is settled.
    put_props(connection, props)
    put(connection, sums)
    leave_out(connection, exploded)
    touch(connection, changed.days, upto)
    sums.clear()
