"""Sends one event as the tracker in a browser does: again, with the same id, until it is taken."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import httpx
import msgspec

from infrastructure.replay.edge_answer import Again, Answer, Taken, read_answer
from infrastructure.traffic.send_log import SendLog
from infrastructure.traffic.visit import PageEvent, Planned, Visitor

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_FIRST_PAUSE_S = 1.0
_MOST_PAUSE_S = 30.0

_encode = msgspec.json.Encoder().encode


@dataclass
class TrackerClient:
    """Browsers of many visitors, behind a proxy that the edge trusts.

    Each names its visitor in `X-Forwarded-For`. `log` learns how each event ended.
    """

    client: httpx.AsyncClient
    url: str
    log: SendLog = field(default_factory=SendLog)

    async def send(self, planned: Planned) -> None:
        """Send until the edge takes it or refuses it for good; cancelled, it is unanswered."""
        client_id, began_s = uuid4(), time.monotonic()
        self.log.begun += 1
        ends_as, pause_s = "no answer", _FIRST_PAUSE_S
        try:
            while True:
                age_ms = int((time.monotonic() - began_s) * 1_000)
                answer = await self._post(planned, body_of(planned.event, client_id, age_ms))
                if not isinstance(answer, Again):
                    break
                ends_as = answer.why
                await asyncio.sleep(pause_s * (1 + random.random()) + answer.after_s)  # noqa: S311
                pause_s = min(2 * pause_s, _MOST_PAUSE_S)
                self.log.repeats += 1
        except asyncio.CancelledError:
            self.log.record(client_id, None, ends_as)
            raise
        self._note(client_id, answer)

    async def _post(self, planned: Planned, body: bytes) -> Answer:
        try:
            answer = await self.client.post(
                self.url,
                content=body,
                headers=headers_of(planned.visitor, planned.event),
                timeout=_TIMEOUT,
            )
        except httpx.TransportError:
            return Again(0.0, "no answer")
        return read_answer(answer.status_code, answer.headers.get("retry-after"), answer.content)

    def _note(self, client_id: UUID, answer: Answer) -> None:
        if isinstance(answer, Taken):
            receipt = next(iter(answer.receipts), None)
            self.log.record(client_id, receipt, "dropped" if answer.dropped else "faulty")
        else:
            self.log.record(client_id, None, answer.why)


def body_of(event: PageEvent, client_id: UUID, age_ms: int) -> bytes:
    """The event with the id it keeps at every try and its age at this one."""
    return b'{"age_ms":%d,"id":"%b",%b' % (age_ms, str(client_id).encode(), _encode(event)[1:])


def headers_of(visitor: Visitor, event: PageEvent) -> dict[str, str]:
    """What the visitor's browser would send, and the proxy before the edge would add."""
    origin = "/".join(event.url.split("/")[:3])
    return {
        "content-type": "text/plain;charset=UTF-8",
        "user-agent": visitor.user_agent,
        "accept-language": visitor.language,
        "origin": origin,
        "referer": f"{origin}/",
        "x-forwarded-for": visitor.address,
    }
