"""What the feed asks the database, each question with its purpose."""

from collections.abc import Collection
from datetime import datetime
from typing import LiteralString

import msgspec

from realtime.channel import Edges
from realtime.database import Database
from realtime.frames import EdgeState
from realtime.hub import WINDOW_MINUTES, Hub
from realtime.recent import FEED_LENGTH
from realtime.row import Row

_COLUMNS: LiteralString = """
    e.site_id, e.event_id::text, floor(extract(epoch from e.ts) * 1000)::bigint,
    floor(extract(epoch from c.at) * 1000)::bigint, e.visitor, e.name, e.bot, e.hostname, e.page,
    e.source, e.country, e.browser, e.os, e.device
"""

# How far the commits have settled, and what the new ones touched.
_NEW_COMMITS: LiteralString = """
WITH settled AS MATERIALIZED (SELECT settled() AS commit_no)
SELECT settled.commit_no, coalesce(sum(c.events), 0)::bigint, min(c.first_ts), max(c.last_ts)
FROM settled LEFT JOIN commits c ON c.commit_no > %(last)s AND c.commit_no <= settled.commit_no
GROUP BY settled.commit_no
"""

# What came in these commits. The range of ts lets whole chunks be passed over.
_CAME: LiteralString = (
    "SELECT"
    + _COLUMNS
    + """
FROM events e JOIN commits c ON c.commit_no = e.commit_in
WHERE e.commit_in > %(last)s AND e.commit_in <= %(settled)s
  AND e.ts BETWEEN %(first_ts)s AND %(last_ts)s
  AND (e.commit_out IS NULL OR e.commit_out > %(settled)s)
  AND e.site_id = ANY(%(sites)s)
ORDER BY e.commit_in, e.ts, e.event_id
"""
)

# The newest of them for one site, where they are too many to read all.
_NEWEST: LiteralString = (
    "SELECT"
    + _COLUMNS
    + """
FROM events e JOIN commits c ON c.commit_no = e.commit_in
WHERE e.commit_in > %(last)s AND e.commit_in <= %(settled)s
  AND e.ts BETWEEN %(first_ts)s AND %(last_ts)s
  AND (e.commit_out IS NULL OR e.commit_out > %(settled)s)
  AND e.site_id = %(site)s
ORDER BY e.commit_in DESC, e.ts DESC, e.event_id DESC LIMIT %(most)s
"""
)

# Whose place another took in these commits.
_WENT: LiteralString = """
SELECT site_id, event_id::text FROM events
WHERE commit_out > %(last)s AND commit_out <= %(settled)s AND site_id = ANY(%(sites)s)
"""

# Everything that the windows of one site hold, as of one commit.
_WINDOW: LiteralString = (
    "SELECT"
    + _COLUMNS
    + """
FROM events e JOIN commits c ON c.commit_no = e.commit_in
WHERE e.site_id = %(site)s AND e.ts >= to_timestamp(%(since_s)s)
  AND e.commit_in <= %(settled)s AND (e.commit_out IS NULL OR e.commit_out > %(settled)s)
ORDER BY e.commit_in, e.ts, e.event_id
"""
)

# The edges, and since when a silent one has not been heard. The database's clock judges, the
# same by which the writer notes a heartbeat.
_EDGES: LiteralString = """
SELECT edge,
       CASE WHEN last_heard < now() - make_interval(secs => %(silent_after_s)s)
            THEN floor(extract(epoch from last_heard) * 1000)::bigint END,
       spooled_batches
FROM edge WHERE retired_at IS NULL ORDER BY edge
"""


class NewCommits(msgspec.Struct, frozen=True):
    """Commits after ``last`` up to ``settled``: how many events, and their range of ts."""

    last: int
    settled: int
    events: int
    first_ts: datetime | None
    last_ts: datetime | None


class Commits:
    """The database as the feed reads it. Everything raises DatabaseDown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read_new(self, last: int) -> NewCommits:
        """What has settled after ``last``."""
        [record] = await self._database.fetch(_NEW_COMMITS, {"last": last})
        return NewCommits(last, *record)

    async def read_came(self, new: NewCommits, sites: Collection[int]) -> list[Row]:
        """Rows of ``sites`` that came and still stand, oldest commit first."""
        parameters = {**msgspec.structs.asdict(new), "sites": list(sites)}
        return [Row(*record) for record in await self._database.fetch(_CAME, parameters)]

    async def read_newest(self, new: NewCommits, site: int) -> list[Row]:
        """The newest rows of ``site`` that came, oldest commit first, no more than a feed shows."""
        parameters = {**msgspec.structs.asdict(new), "site": site, "most": FEED_LENGTH}
        newest_first = await self._database.fetch(_NEWEST, parameters)
        return [Row(*record) for record in reversed(newest_first)]

    async def read_went(self, new: NewCommits, sites: Collection[int]) -> list[tuple[int, str]]:
        """(site, event id) of rows whose place another took."""
        parameters = {"last": new.last, "settled": new.settled, "sites": list(sites)}
        return [(site, event) for site, event in await self._database.fetch(_WENT, parameters)]

    async def count_window(self, site: int, settled: int, now_ms: int) -> tuple[Hub, list[Row]]:
        """The numbers of ``site`` from its rows as of ``settled``, and the newest rows."""
        hub, newest = Hub(), list[Row]()
        since_s = now_ms / 1_000 - (WINDOW_MINUTES + 1) * 60
        parameters = {"site": site, "settled": settled, "since_s": since_s}
        async for chunk in self._database.stream(_WINDOW, parameters):
            rows = [Row(*record) for record in chunk]
            hub.take(rows)
            newest = (newest + rows)[-FEED_LENGTH:]
        return hub, newest

    async def read_edges(self, silent_after_s: float) -> Edges:
        """Every edge that is not retired."""
        records = await self._database.fetch(_EDGES, {"silent_after_s": silent_after_s})
        return {name: EdgeState(since, spooled) for name, since, spooled in records}
