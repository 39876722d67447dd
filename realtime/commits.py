"""What the feed asks the database, each question with its purpose."""

from collections.abc import Collection
from datetime import datetime
from typing import LiteralString

import msgspec

from realtime import edges
from realtime.database import Database
from realtime.hub import MOMENT_S, WINDOW_MINUTES, Hub
from realtime.present import HERE_S
from realtime.recent import FEED_LENGTH
from realtime.row import Row
from shared.completeness import READ, Found, parameters

_COLUMNS: LiteralString = """
    e.site_id, e.event_id::text, floor(extract(epoch from e.ts) * 1000)::bigint,
    floor(extract(epoch from c.at) * 1000)::bigint, e.visitor, e.name, e.bot, e.hostname, e.page,
    e.source, e.country, e.browser, e.os, e.device
"""

# How far the commits have settled, what the new ones touched, and whether the last one is still
# the one it was: a restored database gives its number to another.
_NEW_COMMITS: LiteralString = """
WITH settled AS MATERIALIZED (SELECT settled() AS commit_no)
SELECT settled.commit_no, coalesce(sum(c.events), 0)::bigint, min(c.first_ts), max(c.last_ts),
  (SELECT at FROM commits WHERE commit_no = settled.commit_no),
  (SELECT at FROM commits WHERE commit_no = %(last)s) IS NOT DISTINCT FROM %(last_at)s
FROM settled LEFT JOIN commits c ON c.commit_no > %(last)s AND c.commit_no <= settled.commit_no
GROUP BY settled.commit_no
"""

# What commits touched of which it is known that they have settled.
_THESE_COMMITS: LiteralString = """
SELECT coalesce(sum(events), 0)::bigint, min(first_ts), max(last_ts) FROM commits
WHERE commit_no > %(last)s AND commit_no <= %(settled)s
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

# The newest of them for one site that a feed shows, where they are too many to read all.
_NEWEST: LiteralString = (
    "SELECT"
    + _COLUMNS
    + """
FROM events e JOIN commits c ON c.commit_no = e.commit_in
WHERE e.commit_in > %(last)s AND e.commit_in <= %(settled)s
  AND e.ts BETWEEN %(first_ts)s AND %(last_ts)s
  AND (e.commit_out IS NULL OR e.commit_out > %(settled)s)
  AND e.site_id = %(site)s AND e.name <> 'engagement'
ORDER BY e.commit_in DESC, e.ts DESC, e.event_id DESC LIMIT %(most)s
"""
)

# Rows that stood before these commits, and whose place others took in them.
_WENT: LiteralString = (
    "SELECT"
    + _COLUMNS
    + """
FROM events e JOIN commits c ON c.commit_no = e.commit_in
WHERE e.commit_out > %(last)s AND e.commit_out <= %(settled)s AND e.commit_in <= %(last)s
  AND e.site_id = ANY(%(sites)s)
"""
)


def _counting(select: LiteralString, group: LiteralString) -> LiteralString:
    """A question to what the numbers count of a site: rows that came in these commits and stand
    after them. It must say what `row.is_counted` says."""
    return (
        select
        + """
FROM events
WHERE site_id = %(site)s AND ts >= to_timestamp(%(since_s)s)
  AND commit_in > %(last)s AND commit_in <= %(settled)s
  AND (commit_out IS NULL OR commit_out > %(settled)s)
  AND bot IS NULL AND name <> 'engagement'
"""
        + group
    )


# Pageviews of the window by minute, and by minute and each dimension, from one pass over the
# rows. `date_bin` because taking each instant apart into numbers would cost as much as the rest.
_PAGEVIEWS = _counting(
    """
WITH counted AS MATERIALIZED (
    SELECT date_bin('1 minute', ts, 'epoch') AS minute, page, source, country, count(*) AS times
""",
    """
      AND name = 'pageview' GROUP BY 1, 2, 3, 4
), placed AS (
    SELECT 'minutes' AS kind, minute, '' AS key, sum(times) AS times FROM counted GROUP BY 2
    UNION ALL SELECT 'pages', minute, page, sum(times) FROM counted GROUP BY 2, 3
    UNION ALL SELECT 'sources', minute, source, sum(times) FROM counted GROUP BY 2, 3
    UNION ALL SELECT 'countries', minute, country, sum(times) FROM counted GROUP BY 2, 3
)
SELECT kind, (extract(epoch from minute) / 60)::bigint, key, times::bigint FROM placed
""",
)

_MOMENTS = _counting(
    "SELECT 'moments', (extract(epoch from date_bin('5 seconds', ts, 'epoch')) / 5)::bigint, '',"
    " count(*)",
    "AND name = 'pageview' GROUP BY 2",
)

_LAST_SEEN: LiteralString = "SELECT visitor, floor(extract(epoch from max(ts)))::bigint"

# When each visitor was last seen, and when some of them were.
_SEEN = _counting(_LAST_SEEN, "AND visitor IS NOT NULL GROUP BY visitor")
_SEEN_OF = _counting(_LAST_SEEN, "AND visitor = ANY(%(visitors)s) GROUP BY visitor")


class NewCommits(msgspec.Struct, frozen=True):
    """Commits after ``last`` up to ``settled``: how many events, and their range of ts.

    ``settled_at``: when the settled one was made. ``follows``: ``last`` is still the commit that it
    was, and not of a past that a restored database does not know.
    """

    last: int
    settled: int
    events: int
    first_ts: datetime | None
    last_ts: datetime | None
    settled_at: datetime | None = None
    follows: bool = True


class Commits:
    """The database as the feed reads it. Everything raises DatabaseDown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read_new(self, last: int, last_at: datetime | None) -> NewCommits:
        """What has settled after ``last``, which was made at ``last_at``."""
        [record] = await self._database.fetch(_NEW_COMMITS, {"last": last, "last_at": last_at})
        return NewCommits(last, *record)

    async def read_these(self, last: int, settled: int) -> NewCommits:
        """What is known of the commits after ``last`` up to ``settled``."""
        [record] = await self._database.fetch(_THESE_COMMITS, {"last": last, "settled": settled})
        return NewCommits(last, settled, *record)

    async def read_came(self, new: NewCommits, sites: Collection[int]) -> list[Row]:
        """Rows of ``sites`` that came and still stand, oldest commit first."""
        parameters = {**msgspec.structs.asdict(new), "sites": list(sites)}
        return [Row(*record) for record in await self._database.fetch(_CAME, parameters)]

    async def read_newest(self, new: NewCommits, site: int) -> list[Row]:
        """The newest rows of ``site`` that came, oldest commit first, no more than a feed shows."""
        parameters = {**msgspec.structs.asdict(new), "site": site, "most": FEED_LENGTH}
        newest_first = await self._database.fetch(_NEWEST, parameters)
        return [Row(*record) for record in reversed(newest_first)]

    async def read_went(self, new: NewCommits, sites: Collection[int]) -> list[Row]:
        """Rows of ``sites`` that stood before, and whose place others took."""
        parameters = {"last": new.last, "settled": new.settled, "sites": list(sites)}
        return [Row(*record) for record in await self._database.fetch(_WENT, parameters)]

    async def read_seen(
        self, site: int, settled: int, now_ms: int, visitors: Collection[int]
    ) -> dict[int, int]:
        """The epoch second in which each was last seen, of those seen in the last five minutes."""
        parameters = {**_of(site, 0, settled, now_ms, HERE_S), "visitors": list(visitors)}
        return dict(await self._database.fetch(_SEEN_OF, parameters))

    async def count(self, site: int, last: int, settled: int, now_ms: int) -> Hub:
        """The numbers of what came in these commits: counted where the rows are, so that only
        sums travel."""
        hub = Hub()
        window_s = (WINDOW_MINUTES + 1) * 60
        counts = {_PAGEVIEWS: window_s, _MOMENTS: HERE_S + MOMENT_S}
        for statement, reach_s in counts.items():
            parameters = _of(site, last, settled, now_ms, reach_s)
            async for chunk in self._database.stream(statement, parameters):
                for kind, slot, key, times in chunk:
                    hub.add(kind, slot, key, times)
        parameters = _of(site, last, settled, now_ms, HERE_S)
        async for chunk in self._database.stream(_SEEN, parameters):
            for visitor, second in chunk:
                hub.see(visitor, second)
        return hub

    async def read_edges(self, now: datetime, silent_after_s: float) -> edges.Answer:
        """What every registered edge holds back."""
        records = await self._database.fetch(READ, parameters(now))
        return edges.answer([Found(*record) for record in records], silent_after_s)


def _of(site: int, last: int, settled: int, now_ms: int, reach_s: int) -> dict[str, object]:
    since_s = now_ms / 1_000 - reach_s
    return {"site": site, "last": last, "settled": settled, "since_s": since_s}
