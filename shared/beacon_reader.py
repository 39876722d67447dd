"""From the bytes of a request to beacons and faults; the same at the edge and at the writer.

A sound request takes one pass of a typed decoder. Only what that refuses is looked at slowly,
event by event and field by field, to say what is wrong with it.
"""

import re
from typing import Any, get_type_hints

import msgspec

from shared.beacon import Beacon, Caller, fault_of, is_plainly_sound
from shared.errors import Code, Fault, Refusal

MAX_EVENTS = 100
MAX_DEPTH = 32


class Reading(msgspec.Struct, frozen=True):
    """``beacons``: the sound ones, in order. ``taken``: their places in the request, None when
    all are sound. ``events``: events in the request. ``ignored``: unknown fields, sorted."""

    beacons: list[Beacon]
    taken: list[int] | None
    events: int
    faults: list[Fault] = []
    ignored: tuple[str, ...] = ()


_one = msgspec.json.Decoder(Beacon)
_many = msgspec.json.Decoder(list[Beacon])
_raw = msgspec.json.Decoder(msgspec.Raw)
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])

_TYPES: dict[str, Any] = get_type_hints(Beacon)
_FIELD_DECODERS = {name: msgspec.json.Decoder(_TYPES[name]) for name in Beacon.__struct_fields__}

_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\u0000)"
    rb"|\\."
)
# An unfinished string is taken whole, lest it be tried again from each of its escaped quotes.
_STRUCTURE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def read(body: bytes, caller: Caller) -> Reading:
    """Every event of a request. Raises Refusal where the request as a whole cannot be read."""
    if b"\\" in body:
        body = _ESCAPE.sub(_replace_unstorable, body)
    try:
        if body.startswith(b"{"):
            beacon = _one.decode(body)
            if is_plainly_sound(beacon):
                return Reading([beacon], None, 1)
            beacons = [beacon]
        else:
            beacons = _many.decode(body) if _is_array(body) else [_one.decode(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_slowly(body, caller)
    if 0 < len(beacons) <= MAX_EVENTS and _all_sound(beacons, caller):
        return Reading(beacons, None, len(beacons))
    return _read_slowly(body, caller)


def reread(body: bytes, taken: list[int] | None, caller: Caller) -> list[Beacon]:
    """The events of a request that was read before; ``taken`` as it was found then.

    Raises Refusal or IndexError when the body is not what it was.
    """
    reading = read(body, caller)
    if reading.taken == taken:
        return reading.beacons
    places = range(reading.events) if reading.taken is None else reading.taken
    by_place = dict(zip(places, reading.beacons, strict=True))
    wanted = range(reading.events) if taken is None else taken
    if not all(place in by_place for place in wanted):
        fault = (
            reading.faults[0] if reading.faults else Fault(Code.BAD_VALUE, "an event is missing")
        )
        raise Refusal(fault.code, fault.message, field=fault.field)
    return [by_place[place] for place in wanted]


def _replace_unstorable(match: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if match.group(1) else match.group()


def _all_sound(beacons: list[Beacon], caller: Caller) -> bool:
    site = beacons[0].site
    for beacon in beacons:  # not all(…): a generator doubles the price of a single event
        if beacon.site != site or fault_of(beacon, caller) is not None:
            return False
    return True


def _read_slowly(body: bytes, caller: Caller) -> Reading:
    raws = _split(body)
    beacons: list[Beacon] = []
    taken: list[int] = []
    faults: list[Fault] = []
    ignored: set[str] = set()
    for index, raw in enumerate(raws):
        found = _read_event(raw, ignored)
        if isinstance(found, Beacon):
            found = _site_fault(found, beacons) or fault_of(found, caller) or found
        if isinstance(found, Fault):
            faults.append(msgspec.structs.replace(found, index=index))
        else:
            beacons.append(found)
            taken.append(index)
    all_taken = len(taken) == len(raws)
    return Reading(beacons, None if all_taken else taken, len(raws), faults, tuple(sorted(ignored)))


def _split(body: bytes) -> list[msgspec.Raw]:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Refusal(Code.BAD_ENCODING, "the body is not UTF-8") from error
    if _is_too_deep(body):
        raise Refusal(Code.TOO_DEEP, f"the body is nested deeper than {MAX_DEPTH}")
    try:
        raws = _raw_list.decode(body) if _is_array(body) else [_raw.decode(body)]
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refusal(Code.BAD_JSON, "the body is not JSON") from error
    if not raws:
        raise Refusal(Code.BAD_VALUE, "the array is empty")
    if len(raws) > MAX_EVENTS:
        raise Refusal(Code.TOO_MANY_EVENTS, f"more than {MAX_EVENTS} events in one request")
    return raws


def _is_array(body: bytes) -> bool:
    return body.lstrip()[:1] == b"["


def _is_too_deep(body: bytes) -> bool:
    depth = 0
    for match in _STRUCTURE.finditer(body):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif token in (b"]", b"}"):
            depth -= 1
    return False


def _read_event(raw: msgspec.Raw, ignored: set[str]) -> Beacon | Fault:
    try:
        fields = _raw_fields.decode(raw)
    except msgspec.MsgspecError:
        return Fault(Code.WRONG_TYPE, "an event is a JSON object")
    values: dict[str, Any] = {}
    for name, value in fields.items():
        decoder = _FIELD_DECODERS.get(name)
        if decoder is None:
            ignored.add(name)
            continue
        try:
            values[name] = decoder.decode(value)
        except msgspec.MsgspecError as error:
            return Fault(Code.WRONG_TYPE, _explain(error, name), field=name)
    if "site" not in values:
        return Fault(Code.MISSING_FIELD, "`site` is missing", field="site")
    return Beacon(**values)


def _site_fault(beacon: Beacon, sound: list[Beacon]) -> Fault | None:
    if sound and beacon.site != sound[0].site:
        return Fault(Code.MIXED_SITES, "the events of one request belong to one site", field="site")
    return None


def _explain(error: Exception, name: str) -> str:
    return str(error).replace("`$.", f"`{name}.").replace("`$", f"`{name}")
