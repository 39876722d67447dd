"""Follows the database from settled commit to settled commit, and tells each watched site.

Announcements are hints that wake it early; it always reads on from its own last commit, so that
a lost hint, or a primary that is down, costs a fraction of a second and no event.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from realtime.channel import NOTHING_NEW, Channel, News
from realtime.commits import Commits, NewCommits
from realtime.database import DatabaseDown
from realtime.edges import Edges, Horizon
from realtime.hub import WINDOW_MINUTES
from realtime.outbox import Broadcast
from realtime.present import HERE_S
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
    memory only afterwards, so that a failing database never leaves half a step behind.

    ``counting``: other ways to the same database. Counting a busy site may take a second; one of
    these does it while the loop goes on, and the site joins the loop when it is counted.
    """

    def __init__(
        self,
        commits: Commits,
        counting: Sequence[Commits],
        settings: RealtimeSettings,
        broadcast: Broadcast,
        clock: Clock,
    ) -> None:
        self.reads = False
        self._commits = commits
        self._counting: asyncio.Queue[Commits] = asyncio.Queue()
        for each in counting:
            self._counting.put_nowait(each)
        self._opening: dict[int, asyncio.Task[Channel]] = {}
        self._settings = settings
        self._broadcast = broadcast
        self._clock = clock
        self._channels: dict[int, Channel] = {}
        self._horizon = Horizon()
        self._edges = Edges()
        self._last: int | None = None
        self._last_at: datetime | None = None
        self._lost_to, self._restores = -1, 0
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
        if site in self._channels:
            return self._channels[site]
        if site not in self._opening:
            self._opening[site] = asyncio.create_task(self._make_channel(site))
            self._opening[site].add_done_callback(lambda made: self._note_opened(site, made))
        # Others may wait for the same channel, and one that gives up will ask again.
        return await asyncio.shield(self._opening[site])

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
        answer, now_ms = None, self._now_ms()
        if now_ms // 1_000 != self._second:
            now = datetime.fromtimestamp(now_ms / 1_000, UTC)
            answer = await self._commits.read_edges(now, self._settings.silent_after_s)
        new = await self._commits.read_new(self._last or 0, self._last_at)
        if not new.follows:
            self._start_over()
        news: dict[int, News] = {}
        if self._channels and self._last is not None and new.settled > self._last:
            news = await self._read_news(new, list(self._channels))
        self._last, self._last_at = new.settled, new.settled_at
        if answer is not None:
            self._horizon.note(answer)
        self._edges = self._horizon.as_of(self._last)
        LIVE_COMMIT.set(self._last)
        return news

    def _start_over(self) -> None:
        """The database was restored, and its commits are others than those that were shown: who
        listens comes back, and is told everything anew."""
        _log.warning("the database was restored to before commit %d; starting over", self._last)
        self._lost_to = max(self._lost_to, self._last or 0)
        self._restores += 1
        self._last = None
        self._horizon = Horizon()
        for channel in self._channels.values():
            channel.outbox.cut_off_all()
        self._channels.clear()

    async def _read_news(self, new: NewCommits, sites: Collection[int]) -> dict[int, News]:
        """What ``new`` brought to ``sites``; those to which it brought nothing are absent."""
        gone: defaultdict[int, list[Row]] = defaultdict(list)
        for row in await self._commits.read_went(new, sites):
            gone[row.site_id].append(row)
        if new.events > MOST_EVENTS:
            return {site: await self._read_much(new, site, gone[site]) for site in sites}
        came: defaultdict[int, list[Row]] = defaultdict(list)
        for row in await self._commits.read_came(new, sites):
            came[row.site_id].append(row)
        return {
            site: News(came[site], gone[site], await self._read_seen(new, site, gone[site]))
            for site in {*came, *gone}
        }

    async def _read_much(self, new: NewCommits, site: int, gone: list[Row]) -> News:
        """After a long absence: let the rows be counted instead of reading them all."""
        counted = await self._commits.count(site, new.last, new.settled, self._now_ms())
        newest = await self._commits.read_newest(new, site)
        return News(newest, gone, await self._read_seen(new, site, gone), counted)

    async def _read_seen(
        self, new: NewCommits, site: int, gone: list[Row]
    ) -> dict[int, int | None]:
        """A visitor's last event may have gone, and only the rows know the one before it."""
        now_ms = self._now_ms()
        asked = {row.visitor for row in gone if row.ts_ms >= now_ms - HERE_S * 1_000}
        visitors = [visitor for visitor in asked if visitor is not None]
        if not visitors:
            return {}
        seen = await self._commits.read_seen(site, new.settled, now_ms, visitors)
        return {visitor: seen.get(visitor) for visitor in visitors}

    async def _make_channel(self, site: int) -> Channel:
        while True:
            async with self._turn:
                if self._last is None:
                    await self._read()
                commit, restores = self._last or 0, self._restores
            channel = await self._count_channel(site, commit)
            async with self._turn:
                if self._restores == restores:
                    return await self._begin(site, channel, commit)

    async def _begin(self, site: int, channel: Channel, commit: int) -> Channel:
        """The channel, counted as of ``commit``, joins the loop."""
        if self._last is not None and self._last > commit:
            meanwhile = await self._commits.read_these(commit, self._last)
            news = await self._read_news(meanwhile, [site])
            channel.take(news.get(site, NOTHING_NEW))
        channel.begin(self._last or 0, self._now_ms(), self._edges, self._lost_to)
        self._channels[site] = channel
        return channel

    async def _count_channel(self, site: int, commit: int) -> Channel:
        """The site as of ``commit``, while the loop goes on."""
        now_ms = self._now_ms()
        commits = await self._counting.get()
        try:
            hub = await commits.count(site, 0, commit, now_ms)
            newest = await commits.read_newest(_window(commit, now_ms), site)
        finally:
            self._counting.put_nowait(commits)
        return Channel(hub, newest, self._broadcast, self._settings.realtime_send_queue_bytes)

    def _note_opened(self, site: int, made: asyncio.Task[Channel]) -> None:
        del self._opening[site]
        if not made.cancelled():
            # Whoever asked is told of a failure; where nobody waits any more, it is no news.
            made.exception()

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


def _window(commit: int, now_ms: int) -> NewCommits:
    """All commits up to ``commit``, as far as a feed looks back."""
    now = datetime.fromtimestamp(now_ms / 1_000, UTC)
    since, ahead = now - timedelta(minutes=WINDOW_MINUTES), now + timedelta(hours=1)
    return NewCommits(0, commit, 0, since, ahead)
