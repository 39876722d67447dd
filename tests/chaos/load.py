"""Browsers and a server that send beacons through whatever happens, and remember every answer.

What a browser sends is known by its page, what a server sends by the id derived from its own. A
beacon with an id is sent until it is acknowledged, and some are sent again after that.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

import httpx

from shared.receipt import derived

BROWSED, SERVED = "browsed.example", "served.example"
BROWSERS, SERVERS = 6, 2
_BROWSER_PAUSE_S, _SERVER_PAUSE_S = 0.2, 0.4
_REPEAT_SHARE = 0.15
_WITH_ID_SHARE = 0.6
_MOST_SERVED = 20
_WITHIN_S = 10.0
_RETRY_AFTER_S = 0.3
_REPEAT_WITHIN_S = 5.0
SPAN_MS = 20 * 3_600 * 1_000
"""A server's events lie within so long after ``served_from_ms``."""
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
)
_REFERRERS = ("", "", "https://www.bing.com/", "https://news.example/story", "https://t.co/x")
Event = dict[str, Any]
Send = Callable[[], Coroutine[Any, Any, bool]]
"""Sends the same once more; whether it was acknowledged."""


class Refused(Exception):
    """The edge judged a sound beacon as unsound: a fault of the product or of this load."""


@dataclass
class Log:
    """``receipts``: page → the receipts it was given. ``unsure``: pages that some request held
    whose answer never came or was none. ``served``: every event sent with a key, by event id;
    ``acknowledged``: those of them with a receipt. ``statuses``: answers by status, 0 for none."""

    receipts: dict[str, set[UUID]] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    served: dict[UUID, Event] = field(default_factory=dict)
    acknowledged: set[UUID] = field(default_factory=set)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Events with a receipt, each once however often it was sent."""
        return len(self.receipts) + len(self.acknowledged)


class Load:
    """For one event loop."""

    def __init__(self, edge_url: str, key: str, seed: int, served_from_ms: int) -> None:
        self.log = Log()
        self._url = f"{edge_url}/track"
        self._key = key
        self._seed = seed
        self._served_from_ms = served_from_ms
        self._stop = asyncio.Event()
        self._repeats: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Begin nothing new; ``run`` returns when everything with an id is acknowledged."""
        self._stop.set()

    async def run(self) -> None:
        """Until ``stop``, and until all that owes an answer has one. Raises Refused."""
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(trust_env=False, timeout=_WITHIN_S, limits=limits) as client:
            try:
                async with asyncio.TaskGroup() as clients:
                    for number in range(BROWSERS):
                        clients.create_task(self._browse(client, number))
                    for number in range(SERVERS):
                        clients.create_task(self._serve(client, number))
                await asyncio.gather(*self._repeats)
            except* Refused as refused:
                raise refused.exceptions[0] from None

    async def _browse(self, client: httpx.AsyncClient, number: int) -> None:
        random = Random(f"{self._seed} browser {number}")
        for sent in count():
            await asyncio.sleep(random.expovariate(1 / _BROWSER_PAUSE_S))
            if self._stop.is_set():
                return
            page = f"/{number}/{sent}"
            event: Event = {"site": BROWSED, "url": f"https://{BROWSED}{page}"}
            headers = browser_headers(random)
            if random.random() < _WITH_ID_SHARE:
                event["id"] = str(UUID(int=random.getrandbits(128), version=4))
                send = partial(self._send_browsed, client, page, event, headers)
                await _insist(send)
                self._repeat_some(random, send)
            else:
                await self._send_browsed(client, page, event, headers)

    async def _send_browsed(
        self, client: httpx.AsyncClient, page: str, event: Event, headers: dict[str, str]
    ) -> bool:
        receipts = await self._post(client, event, headers)
        if receipts is None:
            self.log.unsure.add(page)
            return False
        self.log.receipts.setdefault(page, set()).update(receipts)
        return True

    async def _serve(self, client: httpx.AsyncClient, number: int) -> None:
        random = Random(f"{self._seed} server {number}")
        events = served_events(random, self._served_from_ms)
        while not self._stop.is_set():
            await asyncio.sleep(random.expovariate(1 / _SERVER_PAUSE_S))
            batch = [next(events) for _ in range(random.randint(1, _MOST_SERVED))]
            send = partial(self._send_served, client, batch)
            await _insist(send)
            self._repeat_some(random, send)

    async def _send_served(self, client: httpx.AsyncClient, batch: list[Event]) -> bool:
        ids = [UUID(int=derived(SERVED, UUID(event["id"]))) for event in batch]
        self.log.served.update(zip(ids, batch, strict=True))
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._key}"}
        receipts = await self._post(client, batch, headers)
        if receipts is None:
            return False
        if receipts != ids:
            raise Refused("the receipts of events with an id and a ts are not derived from these")
        self.log.acknowledged.update(receipts)
        return True

    def _repeat_some(self, random: Random, send: Send) -> None:
        """A deliberate retry of what is acknowledged, a while later."""
        if random.random() < _REPEAT_SHARE:
            again = asyncio.create_task(_later(random.uniform(0, _REPEAT_WITHIN_S), send))
            self._repeats.add(again)

    async def _post(
        self, client: httpx.AsyncClient, body: Any, headers: dict[str, str]
    ) -> list[UUID] | None:
        """The receipts; None when there is no answer, or it says later. Raises Refused."""
        try:
            answer = await client.post(self._url, content=json.dumps(body), headers=headers)
        except httpx.HTTPError:
            self._count(0)
            return None
        self._count(answer.status_code)
        if answer.status_code in (429, 503):
            return None
        if answer.status_code != 202:
            raise Refused(f"{answer.status_code} {answer.text}")
        return [UUID(receipt) for receipt in answer.json()["receipts"]]

    def _count(self, status: int) -> None:
        self.log.statuses[status] = self.log.statuses.get(status, 0) + 1


async def _insist(send: Send) -> None:
    acknowledged = await send()
    while not acknowledged:
        await asyncio.sleep(_RETRY_AFTER_S)
        acknowledged = await send()


async def _later(wait_s: float, send: Send) -> None:
    await asyncio.sleep(wait_s)
    await send()


def browser_headers(random: Random) -> dict[str, str]:
    """What some visitor's browser would send."""
    return {
        "content-type": "text/plain",
        "user-agent": random.choice(AGENTS),
        "origin": f"https://{BROWSED}",
        "x-forwarded-for": f"84.128.{random.randrange(250)}.{random.randrange(250)}",
    }


def served_events(random: Random, from_ms: int) -> Iterator[Event]:
    """Endless events of a server, of a few visitors, pages and kinds."""
    while True:
        visitor = random.randrange(200)
        name = random.choice(("pageview", "pageview", "pageview", "signup", "download"))
        yield {
            "site": SERVED,
            "id": str(UUID(int=random.getrandbits(128), version=4)),
            "ts": from_ms + random.randrange(SPAN_MS),
            "name": name,
            "url": f"https://{random.choice(('www.', ''))}{SERVED}/page/{random.randrange(12)}"
            + random.choice(("", "", "?utm_source=letter&utm_medium=email&utm_campaign=may")),
            "referrer": random.choice(_REFERRERS),
            "ip": f"84.129.{visitor // 100}.{visitor % 100}",
            "user_agent": AGENTS[visitor % len(AGENTS)],
        }
