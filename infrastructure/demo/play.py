"""The course of the demo: traffic, an outage, the drain, and at the end the account."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from infrastructure.demo.account import Account, draw_up
from infrastructure.demo.household import SITE
from infrastructure.demo.screen import Screen
from infrastructure.demo.sight import Lookout, Sight
from infrastructure.local.product import Product
from infrastructure.local.server import GivenServer
from infrastructure.traffic.generator import send_on_time
from infrastructure.traffic.schedule import planned_events
from infrastructure.traffic.tracker_client import TrackerClient

CALM_S = 12.0
OUTAGE_S = 12.0
AFTER_S = 12.0
BETWEEN_OUTAGES_S = 300.0
_LOOK_EVERY_S = 0.25
_RESTART_EVERY_S = 1.0
_HAND_OVER_WITHIN_S = 120.0


@dataclass
class Play:
    """One run. `stop` ends the traffic, whoever sets it; `once`: one outage, then the end."""

    product: Product
    site_id: int
    screen: Screen
    stop: asyncio.Event
    once: bool
    events_per_s: float
    sight: Sight = field(default_factory=Sight, init=False)
    _handed_over: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self) -> Account:
        """Everything, to the account."""
        since = datetime.now(UTC) - timedelta(seconds=1)
        lookout = await Lookout.open(self.product)
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        try:
            async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
                tracker = TrackerClient(client, f"{self.product.edge_url}/track")
                await self._play(tracker, lookout)
            return await self._account(tracker, since, lookout)
        finally:
            await lookout.close()

    async def _play(self, tracker: TrackerClient, lookout: Lookout) -> None:
        now = datetime.now(UTC)
        seed = int(time.time())
        planned = planned_events(seed, SITE, self.events_per_s, now.hour + now.minute / 60)
        watching = asyncio.create_task(self._watch(tracker, lookout))
        course = asyncio.create_task(self._course())
        for task in (watching, course):
            task.add_done_callback(lambda _: self.stop.set())
        try:
            await send_on_time(planned, tracker, self.stop)
        finally:
            await _end(course)
            await _end(watching)
            self.product.stack.primary.start()

    async def _course(self) -> None:
        await asyncio.sleep(CALM_S)
        while True:
            await self._outage()
            if self.once:
                return await asyncio.sleep(AFTER_S)
            await asyncio.sleep(BETWEEN_OUTAGES_S)

    async def _outage(self) -> None:
        primary = self.product.stack.primary
        if isinstance(primary, GivenServer):
            self.screen.say(f"The primary is not ours ({primary.setting}): no outage is shown.")
            return
        # In this thread: a server dies with the thread that has started it.
        primary.stop()
        self.screen.say(f"The primary Redis is stopped for {OUTAGE_S:.0f} s: watch the spool.")
        await asyncio.sleep(OUTAGE_S)
        spooled = self.sight.spooled
        primary.start()
        self.screen.say(f"The primary Redis is back; {spooled:,} batches wait in the spool.")
        await self._handed_over.wait()
        self.screen.say("The spool is drained.")

    async def _watch(self, tracker: TrackerClient, lookout: Lookout) -> None:
        restart_at_s = time.monotonic()
        while True:
            await self._look(tracker, lookout)
            if time.monotonic() >= restart_at_s:
                restart_at_s = time.monotonic() + _RESTART_EVERY_S
                for service in self.product.services.start_ended():
                    self.screen.say(f"The {service.name} had ended and was started again.")
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _look(self, tracker: TrackerClient, lookout: Lookout) -> None:
        self.sight = await lookout.look()
        self.screen.show(tracker.log, self.sight)
        if self.sight.all_handed_over:
            self._handed_over.set()
        else:
            self._handed_over.clear()

    async def _account(self, tracker: TrackerClient, since: datetime, lookout: Lookout) -> Account:
        """The account, drawn up again until everything accepted has arrived or time is up."""
        self.screen.say("The traffic has ended; what is under way arrives.")
        deadline_s = time.monotonic() + _HAND_OVER_WITHIN_S
        while True:
            await self._look(tracker, lookout)
            if self.sight.all_handed_over or time.monotonic() > deadline_s:
                account = await draw_up(self.product.postgres_url, self.site_id, tracker.log, since)
                if account.lost == 0 or time.monotonic() > deadline_s:
                    return account
            await asyncio.sleep(_LOOK_EVERY_S)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
