"""Arrays of events brought to an edge, however often it has to be asked."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from infrastructure.problem import Problem
from infrastructure.replay.edge_answer import Again, Answer, Hopeless, Taken, read_answer

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_NEW_KEY_WITHIN_S = 15.0


class GaveUp(Exception):
    """The edge took nothing for as long as the sender has patience."""


@dataclass
class Delivery:
    """Sends to the beacon endpoint `url` with a secret key.

    Gives up after `patience_s` in which nothing was taken; `say` gets one line when the edge begins
    to refuse and one when it takes again. A `new_key` may be unknown to the edge for a moment.
    """

    client: httpx.AsyncClient
    url: str
    key: str = field(repr=False)
    say: Callable[[str], None]
    patience_s: float = 300.0
    new_key: bool = False
    _took_at: float = field(default_factory=time.monotonic, init=False)
    _complained: bool = field(default=False, init=False)

    async def send(self, body: bytes) -> Taken:
        """Post an array until it is taken. Raises GaveUp, and Problem for what cannot succeed."""
        while True:
            answer = await self._post(body)
            if isinstance(answer, Taken):
                self._took()
                return answer
            if isinstance(answer, Hopeless):
                answer = self._hope_for_key(answer)
            await self._wait(answer)

    async def _post(self, body: bytes) -> Answer:
        try:
            answer = await self.client.post(
                self.url,
                content=body,
                headers={
                    "content-type": "application/json",
                    "authorization": f"Bearer {self.key}",
                },
                timeout=_TIMEOUT,
            )
        except httpx.TransportError as error:
            return Again(1.0, f"it does not answer ({type(error).__name__})")
        return read_answer(answer.status_code, answer.headers.get("retry-after"), answer.content)

    def _took(self) -> None:
        self.new_key = False
        self._took_at = time.monotonic()
        if self._complained:
            self.say(f"The edge at {self.url} takes events again.")
            self._complained = False

    async def _wait(self, answer: Again) -> None:
        left_s = self._took_at + self.patience_s - time.monotonic()
        if left_s <= 0:
            raise GaveUp(answer.why)
        # A limit on the events a second is no trouble: it sets the pace.
        if not (self._complained or self.new_key or answer.limited):
            self._complained = True
            self.say(
                f"The edge at {self.url} takes nothing now: {answer.why}. "
                f"Trying again for {left_s:.0f} s."
            )
        await asyncio.sleep(min(answer.after_s, left_s))

    def _hope_for_key(self, answer: Hopeless) -> Again:
        age_s = time.monotonic() - self._took_at
        if self.new_key and answer.status == 401 and age_s < _NEW_KEY_WITHIN_S:
            return Again(0.25, answer.why)
        raise Problem(
            f"The edge at {self.url} refuses the events with status {answer.status}: {answer.why}"
        )
