"""What an edge's answer to an array of events means for the sender."""

from uuid import UUID

import msgspec

from shared.errors import Fault

MAX_RETRY_AFTER_S = 60.0
_SOON_S = 1.0
_LATER = {408, 425, 429, 500, 502, 503, 504}


class Taken(msgspec.Struct, frozen=True):
    """The edge has it. ``accepted`` events are stored durably, ``dropped`` ones left out on
    purpose, ``faults`` say what is wrong with the rest. ``receipts``: event ids in the order of
    the request, None for what was not accepted."""

    accepted: int = 0
    dropped: int = 0
    faults: tuple[Fault, ...] = ()
    receipts: tuple[UUID | None, ...] = ()


class Again(msgspec.Struct, frozen=True):
    """Not now. ``after_s``: when to try again. ``limited``: only because it goes too fast."""

    after_s: float
    why: str
    limited: bool = False


class Hopeless(msgspec.Struct, frozen=True):
    """The same array would be refused again; ``why`` is the edge's own sentence."""

    status: int
    why: str


Answer = Taken | Again | Hopeless


class _Error(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Body(msgspec.Struct, frozen=True):
    accepted: int = 0
    dropped: int = 0
    faults: tuple[Fault, ...] = ()
    receipts: tuple[UUID | None, ...] = ()
    error: _Error = _Error()


def read_answer(status: int, retry_after: str | None, body: bytes) -> Answer:
    """The meaning of a status, the header `Retry-After` and a body."""
    said = _decode(body)
    if status in _LATER:
        why = said.error.message or f"status {status}"
        return Again(_seconds(retry_after), why, limited=status == 429)
    if status == 202 or (status == 400 and said.faults):
        return Taken(said.accepted, said.dropped, said.faults, said.receipts)
    return Hopeless(status, said.error.message or "no reason given")


def _decode(body: bytes) -> _Body:
    try:
        return msgspec.json.decode(body, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _Body()


def _seconds(retry_after: str | None) -> float:
    if retry_after is None or not retry_after.isdecimal():
        return _SOON_S
    return min(max(float(retry_after), 0.05), MAX_RETRY_AFTER_S)
