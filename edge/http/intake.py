"""The beacon endpoint: the order in which a request is judged, and what it is told."""

import asyncio

from starlette.types import Scope

from edge.admission.drops import drop_of
from edge.admission.guard import Guard
from edge.admission.peers import Peers
from edge.batches.batcher import Done, tell
from edge.batches.tally import ELSEWHERE, Tally
from edge.http import answers
from edge.http.answers import Answer
from edge.http.body import MAX_SINGLE, BodyMemory, check_declared, read_body
from edge.http.collect import Collector, Dropped, NoneSound, Taken
from edge.http.incoming import Incoming
from edge.http.request import Caller, peer_of
from shared.errors import Code, Refusal

_MEDIA_TYPES = {b"application/json", b"text/plain"}
_AS_BROWSERS_SEND_IT = {*_MEDIA_TYPES, b"text/plain;charset=UTF-8"}
_FREE = {Code.RATE_LIMITED, Code.UNAVAILABLE}
"""Refusals that are to be tried again: a debt would only grow with the tries."""
RETRY_AFTER_S = 1


class Intake:
    """One for each worker."""

    def __init__(
        self,
        guard: Guard,
        collector: Collector,
        tally: Tally,
        memory: BodyMemory,
        body_timeout_s: float,
        peers: Peers,
    ) -> None:
        self._guard = guard
        self._collector = collector
        self._tally = tally
        self.memory = memory
        self._peers = peers
        self._body_timeout_s = body_timeout_s

    async def post(self, scope: Scope, incoming: Incoming) -> Answer:
        """The answer to a POST. Raises Disconnected when nobody waits for one."""
        caller, body = None, b""
        try:
            caller = self.admit(peer_of(scope), scope["headers"])
            check_declared(caller.headers.get(b"content-length", b""))
            body = await self._read(caller, incoming)
            answer = await self._take(caller, body)
        except Refusal as refusal:
            answer = self.refused(refusal, caller, len(body))
        finally:
            if caller is not None:
                self.memory.give_back(len(body), caller.holder)
        self._tally.answered(answer.status)
        return answer

    async def get(self, scope: Scope, body: bytes) -> Answer:
        """The same for a beacon that came in a query string."""
        caller = None
        try:
            caller = self.admit(peer_of(scope), scope["headers"], has_body=False)
            answer = await self._take(caller, body)
        except Refusal as refusal:
            answer = self.refused(refusal, caller, len(body))
        self._tally.answered(answer.status)
        return answer

    def admit(
        self, peer: str, raw_headers: list[tuple[bytes, bytes]], *, has_body: bool = True
    ) -> Caller:
        """Who calls, if what the headers say lets the body be read. Raises Refusal."""
        headers = dict(raw_headers)
        client = self._guard.client(peer, raw_headers)
        prefix = self._guard.prefix(client)
        try:
            if has_body:
                _check_media_type(headers)
            bearer = self._guard.bearer(headers)
        except Refusal:
            self._guard.check_rate(prefix, None)
            self._guard.charge_untaken(prefix, None, 0)
            raise
        holder = self._guard.check_rate(prefix, bearer)
        if self._peers.left and bearer is None:
            self._peers.look(peer, client, headers)
        return Caller(headers, client, prefix, bearer, holder)

    def judge(self, caller: Caller, body: bytes, done: Done) -> Taken | Answer:
        """What becomes of a body: at once, or when ``done`` is called. Raises Refusal."""
        drop = drop_of(caller.headers, self._guard.rules)
        if drop is not None:
            self._tally.dropped(self._site_of_page(caller), drop, 1)
            self._guard.charge_untaken(caller.prefix, caller.bearer, len(body))
            return answers.dropped(drop, 1, 0)
        outcome = self._collector.collect(caller, body, done)
        if isinstance(outcome, Taken):
            return outcome
        size, asked = len(body), outcome.reading.events
        self._guard.charge_untaken(caller.prefix, caller.bearer, size, asked)
        if isinstance(outcome, Dropped):
            events = len(outcome.reading.beacons)
            self._tally.dropped(outcome.site, outcome.reason, events)
            return answers.dropped(outcome.reason, events, outcome.reading.events)
        return self._none_sound(outcome)

    def finish(self, taken: Taken, seq: int | None) -> Answer:
        """The answer once ``done`` was called. Raises Refusal when the batch was given up."""
        if seq is None:
            raise Refusal(
                Code.UNAVAILABLE,
                "neither the primary nor the spool can store now",
                retry_after_s=RETRY_AFTER_S,
            )
        reading = taken.reading
        if reading.faults:
            for code in answers.fault_codes(reading.faults):
                self._tally.refused(taken.site, code)
        return answers.accepted(reading, self._collector.receipts(taken, seq))

    def refused(
        self, refusal: Refusal, caller: Caller | None = None, body_bytes: int = 0
    ) -> Answer:
        """The answer to a request refused as a whole; one that was admitted pays for it."""
        self._tally.refused(refusal.site or ELSEWHERE, refusal.code)
        if caller is not None and refusal.code not in _FREE:
            size = MAX_SINGLE if refusal.code is Code.TOO_LARGE else body_bytes
            self._guard.charge_untaken(caller.prefix, caller.bearer, size)
        return answers.refused(refusal)

    def turn_away(self, refusal: Refusal) -> Answer:
        """The answer to what did not get as far as being a request."""
        answer = self.refused(refusal)
        self.answered(answer)
        return answer

    def answered(self, answer: Answer) -> None:
        """Count an answer that is about to be sent."""
        self._tally.answered(answer.status)

    async def _read(self, caller: Caller, incoming: Incoming) -> bytes:
        return await read_body(incoming, self.memory, caller.holder, self._body_timeout_s)

    async def _take(self, caller: Caller, body: bytes) -> Answer:
        known: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        outcome = self.judge(caller, body, tell(known))
        return self.finish(outcome, await known) if isinstance(outcome, Taken) else outcome

    def _site_of_page(self, caller: Caller) -> str:
        """Whose page sent it, as far as the Origin tells: the body of who said no is not read."""
        rules, origin = self._guard.rules, caller.headers.get(b"origin", b"")
        site = None if rules is None else rules.site_of_origin(origin.decode("latin-1"))
        return ELSEWHERE if site is None else site.name

    def _none_sound(self, outcome: NoneSound) -> Answer:
        for code in answers.fault_codes(outcome.reading.faults):
            self._tally.refused(ELSEWHERE, code)
        return answers.none_sound(outcome.reading)


def _check_media_type(headers: dict[bytes, bytes]) -> None:
    media_type = headers.get(b"content-type", b"")
    if media_type not in _AS_BROWSERS_SEND_IT:
        plain = media_type.split(b";", 1)[0].strip().lower()
        if plain not in _MEDIA_TYPES:
            raise Refusal(Code.UNSUPPORTED_MEDIA_TYPE, "send application/json or text/plain")
    encoding = headers.get(b"content-encoding")
    if encoding is not None and encoding.strip().lower() not in (b"", b"identity"):
        raise Refusal(Code.UNSUPPORTED_MEDIA_TYPE, "a body is taken uncompressed only")
