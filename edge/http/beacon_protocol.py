"""The short way for a beacon: one that arrives whole is judged as it is parsed and answered with
one write, without the task, the events and the messages that ASGI would take for it.

Whatever else arrives (a body in parts, another path, a pipelined request) goes uvicorn's own way
to the same intake.
"""

import asyncio
from collections.abc import Hashable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from edge.http.answers import Answer, render
from edge.http.app import EdgeApp, surprise
from edge.http.body import check_size
from edge.http.collect import Taken
from shared.errors import Code, Refusal

MAX_HEAD = 32 * 1024
MAX_HEADERS = 100
MAX_REQUEST = 8 * 1024 * 1024
"""Bytes on the wire: the largest body in small chunks, or all that is discarded, with room."""


class _HeadTooLarge(Exception):
    """Ends the parsing."""


class _NoEvent:
    """Nobody waits for more of a request that is there as a whole."""

    def set(self) -> None:
        """As uvicorn calls it when the connection ends."""


_NO_EVENT = _NoEvent()


class Exchange:
    """One beacon and its answer; stands where uvicorn expects its own cycle to stand."""

    __slots__ = (
        "disconnected",
        "holder",
        "keep_alive",
        "origin",
        "protocol",
        "response_complete",
        "size",
        "taken",
    )
    message_event = _NO_EVENT

    def __init__(self, protocol: "BeaconProtocol", keep_alive: bool) -> None:
        self.protocol = protocol
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False
        self.origin: bytes | None = None
        self.taken: Taken | None = None
        self.size = 0
        self.holder: Hashable = None

    def judge(self, peer: str, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Answer at once, or when the batch is stored."""
        intake = self.protocol.edge.intake
        caller = None
        try:
            caller = intake.admit(peer, headers)
            self.origin = caller.headers.get(b"origin")
            check_size(len(body), body)
            intake.memory.take(len(body), caller.holder)
            self.size, self.holder = len(body), caller.holder
            outcome = intake.judge(caller, body, self.done)
            if isinstance(outcome, Taken):
                self.taken = outcome
            else:
                self._answer(outcome)
        except Refusal as refusal:
            self.origin = dict(headers).get(b"origin")
            self._answer(intake.refused(refusal, caller, len(body)))
        except Exception as error:
            self._answer(surprise(error))

    def done(self, seq: int | None) -> None:
        """The batch is stored, or given up."""
        intake = self.protocol.edge.intake
        try:
            assert self.taken is not None
            self._answer(intake.finish(self.taken, seq))
        except Refusal as refusal:
            self._answer(intake.refused(refusal))
        except Exception as error:
            self._answer(surprise(error))

    def _answer(self, answer: Answer) -> None:
        if self.response_complete:
            return
        intake = self.protocol.edge.intake
        if self.size:
            intake.memory.give_back(self.size, self.holder)
        intake.answered(answer)
        self.response_complete = True
        transport = self.protocol.transport
        if self.disconnected or transport.is_closing():
            return
        transport.write(render(answer, self.origin, keep_alive=self.keep_alive))
        if not self.keep_alive or answer.closes:
            transport.close()
        self.protocol.on_response_complete()


class BeaconProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the short way built in."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.edge = cast(EdgeApp, self.config.loaded_app)
        self._beacon_url = self.edge.path.encode()
        self._forming: bytearray | None = None
        self._in_head = True
        self._arrived = 0
        self._latest = 0
        self._head_is_large = False
        self._deadline: asyncio.TimerHandle | None = None
        self._idle_since: float | None = None
        self._idle_watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection has so long to send a head."""
        super().connection_made(transport)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._in_head = False
        self._watch_head()
        if self._idle_watch is not None:
            self._idle_watch.cancel()
            self._idle_watch = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """What is not whole by the end of it goes the long way."""
        self._latest = len(data)
        self._arrived += self._latest
        super().data_received(data)
        if self._in_head or self._arrived > MAX_HEAD:
            self._check_unfinished()
        if self._forming is not None:
            self._go_the_long_way()
        if self._in_head or self._deadline is not None:
            self._watch_head()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._in_head = True
        self._arrived = 0
        self._idle_since = None
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        """Choose the way."""
        if self._has_large_head():
            raise _HeadTooLarge
        self._in_head = False
        if self._forming is None and self._may_be_short():
            self._forming = bytearray()
        else:
            self._begin_long_way()

    def on_body(self, body: bytes) -> None:
        """A part of either way."""
        if self._forming is None:
            super().on_body(body)
        else:
            self._forming += body

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._forming is None:
            super().on_message_complete()
            return
        body, self._forming = bytes(self._forming), None
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        exchange = Exchange(self, keep_alive)
        self.cycle = cast(RequestResponseCycle, exchange)
        exchange.judge(self.client[0] if self.client else "", self.headers, body)

    def on_response_complete(self) -> None:
        """Wait for the next request, but not for ever. One timer watches a connection: uvicorn's
        own, set and taken back for each request, costs more than to judge it."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self._idle_watch is None:
            self._watch_idle(self.timeout_keep_alive)

    def _watch_idle(self, seconds: float) -> None:
        self._idle_watch = self.loop.call_later(seconds, self._close_when_idle)

    def _close_when_idle(self) -> None:
        self._idle_watch = None
        if self._idle_since is None:
            return
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._watch_idle(left_s)
        else:
            self.timeout_keep_alive_handler()

    def send_400_response(self, _: str) -> None:
        """The end of a connection that cannot be understood, in our own shape of error."""
        refusal = Refusal(Code.BAD_HTTP, "this is no HTTP request")
        if self._head_is_large:
            most = f"{MAX_HEAD} bytes and {MAX_HEADERS} headers"
            refusal = Refusal(Code.HEAD_TOO_LARGE, f"a request's head takes at most {most}")
        answer = self.edge.intake.turn_away(refusal)
        self.transport.write(render(answer, None, keep_alive=False))
        self.transport.close()

    def _check_unfinished(self) -> None:
        # The parser keeps a line until it ends, so it is bytes that arrive which are counted. Those
        # of the read in which a request begins may be another's; a read is bounded in itself.
        if self.transport.is_closing():
            return
        if self._in_head:
            if self._arrived > MAX_HEAD or self._has_large_head():
                self._head_is_large = True
                self.send_400_response("")
        elif self._arrived > MAX_REQUEST or len(self.headers) > MAX_HEADERS:
            # A body's trailers count as headers too.
            self.transport.abort()

    def _has_large_head(self) -> bool:
        if self.headers is None:
            return False
        self._head_is_large = len(self.headers) > MAX_HEADERS or (
            self._arrived + self._latest > MAX_HEAD and self._head_size() > MAX_HEAD
        )
        return self._head_is_large

    def _head_size(self) -> int:
        return len(self.url) + sum([len(name) + len(value) for name, value in self.headers])

    def _watch_head(self) -> None:
        # uvicorn itself waits for ever for the rest of a head.
        if not self._in_head:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.edge.head_timeout_s, self.transport.abort)

    def _may_be_short(self) -> bool:
        return (
            self.url == self._beacon_url
            and self.parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not self.expect_100_continue
            and not self.flow.write_paused
            and not self.parser.should_upgrade()
        )

    def _go_the_long_way(self) -> None:
        body, self._forming = self._forming, None
        if self.parser is not None and not self.transport.is_closing():
            self._begin_long_way()
            if body:
                super().on_body(bytes(body))

    def _begin_long_way(self) -> None:
        # The scope that uvicorn makes for every request, which the short way does without.
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers = self.scope["headers"] = headers
        super().on_headers_complete()
