"""``python -m tests.benchmarks.open_load PORT SITE,… RATE SECONDS``: beacons at a steady rate, each
sent when it is due, whether or not those before were answered.

A process of its own. Each beacon's host name holds the moment it was sent by the machine's
monotonic clock, so that whoever sees it again knows how long it took. Prints one JSON object.
"""

import asyncio
import json
import random
import sys
import time
from collections import deque
from typing import Any

CONNECTIONS = 256
_SLOT_S = 0.002
_AGENTS = [
    f"Mozilla/5.0 (X11; Linux x86_64; rv:{number}.0) Gecko/20100101 Firefox/{number}.0"
    for number in range(100, 146)
]


def sent_at(hostname: str) -> float:
    """The moment in seconds that a host name of these beacons holds."""
    return int(hostname.partition(".")[0].removeprefix("t")) / 1e6


class Sender(asyncio.Protocol):
    """One connection: idle, or waiting for its answer."""

    def __init__(self, idle: deque["Sender"], tally: dict[str, int]) -> None:
        self._idle = idle
        self._tally = tally
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._idle.append(self)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if self._answer.endswith(b"}"):
            taken = self._answer.startswith(b"HTTP/1.1 202")
            self._tally["accepted" if taken else "refused"] += 1
            self._answer = b""
            self._idle.append(self)


def request(site: str, number: int) -> bytes:
    """One pageview of one of 2,000 visitors on one of 200 pages, as sent now."""
    host = f"t{time.monotonic_ns() // 1_000}.{site}"
    page = random.randrange(200)
    visitor = random.randrange(2_000)
    body = json.dumps(
        {
            "site": site,
            "url": f"https://{host}/section/{page % 7}/article-{page}",
            "referrer": "https://www.google.com/",
            "title": f"Article {page}",
            "width": 1_440,
            "props": {"n": number},
        }
    ).encode()
    head = (
        f"POST /track HTTP/1.1\r\nhost: edge.test\r\nuser-agent: {_AGENTS[visitor % len(_AGENTS)]}"
        f"\r\ncontent-type: text/plain\r\nx-forwarded-for: 81.{visitor // 250}.{visitor % 250}.7"
        f"\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def send(port: int, sites: list[str], rate: float, seconds: float) -> dict[str, Any]:
    """Send for so long. ``missed``: due while every connection still waited for its answer."""
    loop = asyncio.get_running_loop()
    idle: deque[Sender] = deque()
    tally = {"sent": 0, "missed": 0, "accepted": 0, "refused": 0}
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: Sender(idle, tally), "127.0.0.1", port)
    began = loop.time()
    due = 0
    while (passed := loop.time() - began) < seconds:
        while due < passed * rate:
            due += 1
            if not idle:
                tally["missed"] += 1
                continue
            idle.popleft().transport.write(request(sites[due % len(sites)], due))
            tally["sent"] += 1
        await asyncio.sleep(_SLOT_S)
    async with asyncio.timeout(20):
        while len(idle) < CONNECTIONS:  # noqa: ASYNC110
            await asyncio.sleep(_SLOT_S)
    return tally


if __name__ == "__main__":
    _, port, sites, rate, seconds = sys.argv
    print(json.dumps(asyncio.run(send(int(port), sites.split(","), float(rate), float(seconds)))))
