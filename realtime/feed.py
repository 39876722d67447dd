"""Follows the database from settled commit to settled commit, and tells each watched site.

Announcements are hints that wake it early; it always reads on from its own last commit, so that
a lost hint, or a primary that is down, costs a fraction of a second and no event.
"""

import asyncio
import logging
from collections import defaultdict

from realtime.channel import NOTHING_NEW, Channel, Edges, News
from realtime.commits import Commits, NewCommits
from realtime.database import DatabaseDown
from realtime.hub import Hub
from realtime.outbox import Broadcast
from realtime.row import Row
from shared.clock import US_PER_MS, Clock
from shared.metrics import LIVE_COMMIT
from shared.settings import RealtimeSettings

PACE_S = 0.025
KEEP_EMPTY_MS = 600_000
MOST_EVENTS = 20_000

_log = logging.getLogger("realtime")


class Feed:
    """One loop owns all channels; ``open`` waits for its turn. A step reads first and changes
    memory only afterwards, so that a failing database never leaves half a step behind."""

    def __init__(
        self, commits: Commits, settings: RealtimeSettings, broadcast: Broadcast, clock: Clock
    ) -> None:
        self.reads = False
        self._commits = commits
        self._settings = settings
        self._broadcast = broadcast
        self._clock = clock
        self._channels: dict[int, Channel] = {}
        self._edges: Edges = {}
        self._last: int | None = None
        self._second = 0
        self._turn = asyncio.Lock()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be a new commit."""
        self._woken.set()

    async def run(self) -> None:
        """Step for ever: at a hint, else at every poll; never faster than a frame may follow."""
        while True:
            async with self._turn:
                await self.step()
            await asyncio.sleep(PACE_S)
            try:
                async with asyncio.timeout(self._settings.realtime_poll_s):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()

    async def open(self, site: int) -> Channel:
        """The channel of a site, made from its rows where nobody watches yet.

        Raises DatabaseDown. The channel is kept for ten minutes after its last socket has left,
        so that a client which comes back can resume.
        """
        async with self._turn:
            if site not in self._channels:
                self._channels[site] = await self._make_channel(site)
            return self._channels[site]

    async def step(self) -> None:
        """Read what is new, then publish. Without the database, time still passes."""
        try:
            news = await self._read()
            self._note_database(up=True)
        except DatabaseDown:
            news = {}
            self._note_database(up=False)
        now_ms = self._now_ms()
        ticked = now_ms // 1_000 != self._second
        self._second = now_ms // 1_000
        for site, channel in list(self._channels.items()):
            if site in news or ticked:
                channel.publish(news.get(site, NOTHING_NEW), self._last or 0, now_ms, self._edges)
            self._forget_if_empty(site, channel, now_ms)

    async def _read(self) -> dict[int, News]:
        """The news by site. Moves on to the settled commit as its last deed."""
        edges = self._edges
        if self._now_ms() // 1_000 != self._second:
            edges = await self._commits.read_edges(self._settings.silent_after_s)
        new = await self._commits.read_new(self._last or 0)
        news: dict[int, News] = {}
        if self._channels and self._last is not None and new.settled > self._last:
            news = await self._read_news(new)
        self._edges = edges
        self._last = max(new.settled, self._last or 0)
        LIVE_COMMIT.set(self._last)
        return news

    async def _read_news(self, new: NewCommits) -> dict[int, News]:
        if new.events > MOST_EVENTS:
            return {site: await self._read_much(new, site) for site in self._channels}
        came: defaultdict[int, list[Row]] = defaultdict(list)
        for row in await self._commits.read_came(new, self._channels):
            came[row.site_id].append(row)
        went: defaultdict[int, set[str]] = defaultdict(set)
        for site, event in await self._commits.read_went(new, self._channels):
            went[site].add(event)
        return {
            site: News(came[site], went[site], await self._count_anew(new, site, went[site]))
            for site in {*came, *went}
        }

    async def _read_much(self, new: NewCommits, site: int) -> News:
        """After a long absence: count from the rows of the window instead of following."""
        hub, _ = await self._commits.count_window(site, new.settled, self._now_ms())
        went = {event for _, event in await self._commits.read_went(new, [site])}
        return News(await self._commits.read_newest(new, site), went, hub)

    async def _count_anew(self, new: NewCommits, site: int, gone: set[str]) -> Hub | None:
        """A visitor's last event may have gone, and only the rows know the one before it."""
        if not gone:
            return None
        hub, _ = await self._commits.count_window(site, new.settled, self._now_ms())
        return hub

    async def _make_channel(self, site: int) -> Channel:
        if self._last is None:
            await self._read()
        commit, now_ms = self._last or 0, self._now_ms()
        hub, newest = await self._commits.count_window(site, commit, now_ms)
        queue_bytes = self._settings.realtime_send_queue_bytes
        channel = Channel(hub, newest, self._broadcast, queue_bytes)
        channel.begin(commit, now_ms, self._edges)
        return channel

    def _forget_if_empty(self, site: int, channel: Channel, now_ms: int) -> None:
        since = channel.empty_since_ms
        if since is not None and now_ms - since > KEEP_EMPTY_MS:
            del self._channels[site]

    def _note_database(self, *, up: bool) -> None:
        if up != self.reads:
            _log.info("reading commits" if up else "the database does not answer; trying again")
        self.reads = up

    def _now_ms(self) -> int:
        return self._clock() // US_PER_MS
