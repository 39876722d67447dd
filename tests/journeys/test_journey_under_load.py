"""Traffic that looks real while processes are killed: the account, by event id, stays clean."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from infrastructure.demo.account import Account, draw_up
from infrastructure.demo.household import SITE
from infrastructure.local.product import Product
from infrastructure.traffic.generator import send_on_time
from infrastructure.traffic.schedule import planned_events
from infrastructure.traffic.tracker_client import TrackerClient
from tests.journeys.visit_world import VisitWorld, until

pytestmark = pytest.mark.anyio

RATE = 80.0


@asynccontextmanager
async def traffic(world: VisitWorld) -> AsyncIterator[TrackerClient]:
    """Traffic while the body runs, then until everything under way is answered."""
    stop = asyncio.Event()
    async with httpx.AsyncClient(trust_env=False) as client:
        tracker = TrackerClient(client, f"{world.product.edge_url}/track")
        planned = planned_events(11, SITE, RATE)
        sending = asyncio.create_task(send_on_time(planned, tracker, stop, settle_s=120.0))
        try:
            yield tracker
        finally:
            stop.set()
            await sending


async def until_accepted(tracker: TrackerClient, more: int) -> None:
    """Until so many further events have their receipts."""
    goal = tracker.log.accepted + more

    async def reached() -> bool:
        return tracker.log.accepted >= goal

    await until(reached, f"{more} further events are accepted")


async def account_of(world: VisitWorld, tracker: TrackerClient, since: datetime) -> Account:
    async def handed_over() -> bool:
        return not world.under_way()

    await until(handed_over, "spool and stream are empty", 240)
    return await draw_up(world.product.postgres_url, world.site_id, tracker.log, since)


async def test_a_killed_edge_loses_nothing_that_it_acknowledged(millrace: Product) -> None:
    edge = millrace.services["edge"]
    async with VisitWorld.open(millrace) as world:
        since = world.since()
        async with traffic(world) as tracker:
            await until_accepted(tracker, 100)
            edge.kill()
            edge.start()
            await until_accepted(tracker, 100)
            edge.kill()
            edge.start()
            await until_accepted(tracker, 50)
        account = await account_of(world, tracker, since)
        assert account.is_clean, account
        assert account.unanswered == 0, account
        assert tracker.log.repeats > 0


async def test_a_killed_edge_worker_is_replaced_and_loses_nothing(millrace: Product) -> None:
    async with VisitWorld.open(millrace) as world:
        since = world.since()
        async with traffic(world) as tracker:
            await until_accepted(tracker, 50)
            for pid in children_of(millrace.services["edge"].pid):
                os.kill(pid, signal.SIGKILL)
            await until_accepted(tracker, 100)
        account = await account_of(world, tracker, since)
        assert account.is_clean, account


async def test_everything_killed_in_turn_during_an_outage_leaves_a_clean_account(
    millrace: Product,
) -> None:
    services = millrace.services
    async with VisitWorld.open(millrace) as world:
        since = world.since()
        async with traffic(world) as tracker:
            await until_accepted(tracker, 50)
            services["writer"].kill()
            world.primary.kill()
            await until_accepted(tracker, 100)
            services["edge"].kill()
            services["drain"].kill()
            services["edge"].start()
            await until_accepted(tracker, 50)
            world.primary.start()
            services["drain"].start()
            services["writer"].start()
            await until_accepted(tracker, 50)
            services["drain"].kill()
            services["drain"].start()
            services["writer"].kill()
            services["writer"].start()
            await until_accepted(tracker, 50)
        account = await account_of(world, tracker, since)
        assert account.is_clean, account


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]
