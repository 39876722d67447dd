"""What the beacon endpoint says: statuses, bodies, and CORS headers on all of them."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from edge.admission.drops import Drop
from shared.beacon_reader import Reading
from shared.errors import Code, Fault, Refusal

Header = tuple[bytes, bytes]

EXPOSED = b"Retry-After, x-millrace-dropped, x-millrace-ignored"
_JSON = (b"content-type", b"application/json")
_EXPOSE = (b"access-control-expose-headers", EXPOSED)
_ANY_ORIGIN = (_EXPOSE, (b"access-control-allow-origin", b"*"))
_CLOSE = (b"connection", b"close")
_MAX_ORIGIN = 300
_MAX_IGNORED = 512
_ENDS_CONNECTION = {Code.TOO_LARGE, Code.BODY_TIMEOUT}
_NAME = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


class Answer(NamedTuple):
    """One response of the edge."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = ()

    @property
    def closes(self) -> bool:
        """Whether the connection ends with it."""
        return _CLOSE in self.headers


def accepted(reading: Reading, receipts: Sequence[str | None]) -> Answer:
    """202: these are fsynced."""
    if reading.events == 1 and not reading.ignored:
        return Answer(202, b'{"accepted":1,"dropped":0,"receipts":["%b"]}' % _first(receipts))
    body: dict[str, Any] = {
        "accepted": len(reading.beacons),
        "dropped": 0,
        "receipts": receipts,
    }
    if reading.faults:
        body["faults"] = reading.faults
    return Answer(202, msgspec.json.encode(body), _ignored(reading))


def dropped(reason: Drop, events: int, receipts: int) -> Answer:
    """202: deliberately not kept. An unparsed body counts as one event and has no receipts."""
    body = {"accepted": 0, "dropped": events, "receipts": [None] * receipts}
    return Answer(202, msgspec.json.encode(body), ((b"x-millrace-dropped", reason.encode()),))


def none_sound(reading: Reading) -> Answer:
    """400: the error of the first fault, and all of them."""
    first = reading.faults[0]
    refusal = Refusal(first.code, first.message, field=first.field)
    return Answer(refusal.status, refusal.body(faults=reading.faults), _ignored(reading))


def refused(refusal: Refusal) -> Answer:
    """Whatever status goes with its code."""
    headers: list[Header] = []
    if refusal.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % refusal.retry_after_s))
    if refusal.code in _ENDS_CONNECTION:
        headers.append(_CLOSE)
    return Answer(refusal.status, refusal.body(), tuple(headers))


def preflight() -> Answer:
    """204: what a page of any origin may send; the origin itself is judged with the beacon."""
    return Answer(
        204,
        b"",
        (
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", b"content-type"),
            (b"access-control-max-age", b"86400"),
        ),
    )


def cors(origin: bytes | None) -> tuple[Header, ...]:
    """A page must be able to read why it was refused, so its Origin is echoed even then. There
    are no credentials that this could give away."""
    if origin is None or len(origin) > _MAX_ORIGIN or not origin.isascii():
        return _ANY_ORIGIN
    return _EXPOSE, (b"access-control-allow-origin", origin), (b"vary", b"Origin")


async def send_answer(send: Send, answer: Answer, origin: bytes | None) -> None:
    """Send it with CORS headers."""
    headers = [*answer.headers, *cors(origin)]
    if answer.body:
        headers += (_JSON, (b"content-length", b"%d" % len(answer.body)))
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
    except RuntimeError:
        # uvloop's word for a client that has just hung up; uvicorn hears of it a turn later.
        await asyncio.sleep(0)


def render(answer: Answer, origin: bytes | None, *, keep_alive: bool) -> bytes:
    """The whole response as it goes over the wire."""
    if keep_alive and answer.status == 202 and not answer.headers:
        return b"%b%d\r\n\r\n%b" % (_usual_head(origin), len(answer.body), answer.body)
    extra = b"".join([b"%b: %b\r\n" % header for header in answer.headers])
    if not keep_alive and not answer.closes:
        extra += b"connection: close\r\n"
    return b"%b%bcontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n%b" % (
        STATUS_LINE[answer.status],
        _cors_lines(origin),
        len(answer.body),
        extra,
        answer.body,
    )


@lru_cache(maxsize=1_024)
def _usual_head(origin: bytes | None) -> bytes:
    lines = STATUS_LINE[202] + _cors_lines(origin)
    return lines + b"content-type: application/json\r\ncontent-length: "


@lru_cache(maxsize=1_024)
def _cors_lines(origin: bytes | None) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in cors(origin)])


def fault_codes(faults: Sequence[Fault]) -> list[str]:
    """For counting."""
    return [fault.code.value for fault in faults]


def _first(receipts: Sequence[str | None]) -> bytes:
    first = receipts[0]
    return b"" if first is None else first.encode()


def _ignored(reading: Reading) -> tuple[Header, ...]:
    if not reading.ignored:
        return ()
    # The names are the client's own text: only plain characters may stand in a header.
    names = [bytes(filter(_NAME.__contains__, name.encode()[:64])) for name in reading.ignored[:20]]
    return ((b"x-millrace-ignored", b", ".join(filter(None, names))[:_MAX_IGNORED]),)
