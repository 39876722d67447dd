"""What a beacon may hold, and what is said of one that holds something else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.beacon import Caller, happened_at
from shared.beacon_reader import MAX_DEPTH, read, reread
from shared.clock import US_PER_DAY, US_PER_MS, US_PER_SECOND
from shared.errors import Code, Refusal

NOW = 1_790_000_000 * US_PER_SECOND
ANYONE = Caller(received_at=NOW)
KEYED = Caller(received_at=NOW, keyed=True)
IMPORTER = Caller(received_at=NOW, keyed=True, may_import=True)
FOUR_BYTES = "\N{GRINNING FACE}"


def a_beacon(**fields: Any) -> dict[str, Any]:
    return {"site": "example.com", "url": "https://example.com/"} | fields


def read_one(fields: Any, caller: Caller = ANYONE) -> Any:
    return read(json.dumps(fields).encode(), caller)


def test_a_sound_beacon_is_read_whole() -> None:
    reading = read_one(a_beacon(title="Hello", props={"plan": "pro", "seats": 3, "on": True}))
    [beacon] = reading.beacons
    assert (beacon.name, beacon.title) == ("pageview", "Hello")
    assert beacon.props == {"plan": "pro", "seats": 3, "on": True}
    assert (reading.taken, reading.events, reading.faults, reading.ignored) == (None, 1, [], ())


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"site": ""}, Code.MISSING_FIELD, "site"),
        ({"site": 3}, Code.WRONG_TYPE, "site"),
        ({"site": "x" * 254}, Code.TOO_LONG, "site"),
        ({"name": ""}, Code.BAD_VALUE, "name"),
        ({"name": "x" * 121}, Code.TOO_LONG, "name"),
        ({"name": FOUR_BYTES * 31}, Code.TOO_LONG, "name"),
        ({"url": None}, Code.WRONG_TYPE, "url"),
        ({"url": ""}, Code.MISSING_FIELD, "url"),
        ({"url": "data:text/html,hi"}, Code.BAD_VALUE, "url"),
        ({"url": "javascript:alert(1)"}, Code.BAD_VALUE, "url"),
        ({"url": "https://"}, Code.BAD_VALUE, "url"),
        ({"url": "https://[::1/"}, Code.BAD_VALUE, "url"),
        ({"url": "https://a/" + "x" * 2039}, Code.TOO_LONG, "url"),
        ({"referrer": "x" * 2049}, Code.TOO_LONG, "referrer"),
        ({"title": FOUR_BYTES * 76}, Code.TOO_LONG, "title"),
        ({"id": "not-a-uuid"}, Code.WRONG_TYPE, "id"),
        ({"props": []}, Code.WRONG_TYPE, "props"),
        ({"props": {"a": {}}}, Code.WRONG_TYPE, "props"),
        ({"props": {str(n): n for n in range(31)}}, Code.TOO_MANY, "props"),
        ({"props": {"k" * 301: 1}}, Code.TOO_LONG, "props"),
        ({"props": {"k": FOUR_BYTES * 513}}, Code.TOO_LONG, "props"),
        ({"revenue": {"amount": "1.2345", "currency": "EUR"}}, Code.OUT_OF_RANGE, "revenue.amount"),
        ({"revenue": {"amount": "NaN", "currency": "EUR"}}, Code.OUT_OF_RANGE, "revenue.amount"),
        ({"revenue": {"amount": 1e30, "currency": "EUR"}}, Code.OUT_OF_RANGE, "revenue.amount"),
        (
            {"revenue": {"amount": "1E+9999999", "currency": "EUR"}},
            Code.OUT_OF_RANGE,
            "revenue.amount",
        ),
        (
            {"revenue": {"amount": "1E-9999999", "currency": "EUR"}},
            Code.OUT_OF_RANGE,
            "revenue.amount",
        ),
        (
            {"revenue": {"amount": "0E+9999999", "currency": "EUR"}},
            Code.OUT_OF_RANGE,
            "revenue.amount",
        ),
        ({"items": [{"price": "1E+9999999"}]}, Code.OUT_OF_RANGE, "items.price"),
        ({"url": "https://a\u2100b/x"}, Code.BAD_VALUE, "url"),
        ({"url": "https://example.com\uff0fb/x"}, Code.BAD_VALUE, "url"),
        ({"url": "https://%%%/x"}, Code.BAD_VALUE, "url"),
        ({"revenue": {"amount": 1, "currency": "euro"}}, Code.BAD_VALUE, "revenue.currency"),
        ({"items": [{}] * 31}, Code.TOO_MANY, "items"),
        ({"items": [{"quantity": -1}]}, Code.OUT_OF_RANGE, "items.quantity"),
        ({"items": [{"sku": "x" * 301}]}, Code.TOO_LONG, "items"),
        ({"items": [{"price": "0.0001"}]}, Code.OUT_OF_RANGE, "items.price"),
        ({"engaged_ms": -1}, Code.OUT_OF_RANGE, "engaged_ms"),
        ({"scroll_pct": 101}, Code.OUT_OF_RANGE, "scroll_pct"),
        ({"width": 100_001}, Code.OUT_OF_RANGE, "width"),
        ({"vitals": {"lcp": -1}}, Code.OUT_OF_RANGE, "vitals"),
        ({"vitals": {str(n): 1 for n in range(11)}}, Code.TOO_MANY, "vitals"),
        ({"user_id": "x" * 201}, Code.TOO_LONG, "user_id"),
        ({"age_ms": -1}, Code.OUT_OF_RANGE, "age_ms"),
        ({"age_ms": 86_400_001}, Code.OUT_OF_RANGE, "age_ms"),
        ({"ts": 1}, Code.NEEDS_KEY, "ts"),
        ({"ip": "192.0.2.1"}, Code.NEEDS_KEY, "ip"),
        ({"user_agent": "x"}, Code.NEEDS_KEY, "user_agent"),
    ],
)
def test_what_is_out_of_bounds_is_a_fault_that_names_the_field(
    fields: dict[str, Any], code: Code, field: str
) -> None:
    reading = read_one(a_beacon(**fields))
    assert reading.beacons == []
    [fault] = reading.faults
    assert (fault.code, fault.field, fault.index) == (code, field, 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"site": "x" * 253},
        {"name": FOUR_BYTES * 30},
        {"url": "https://a/" + "x" * 2038},
        {"props": {str(n): FOUR_BYTES * 512 for n in range(30)}},
        {"revenue": {"amount": "12.345", "currency": "EUR"}},
        {"revenue": {"amount": "-5.1000", "currency": "EUR"}},
        {"age_ms": 86_400_000},
        {"name": "signup", "url": ""},
        {"url": "https://münchen.example/straße?q=ü"},
        {"url": "http://user:pass@example.com:8080/"},
        {"url": "http://[::1]:4001/"},
    ],
)
def test_what_is_just_within_bounds_is_taken(fields: dict[str, Any]) -> None:
    assert len(read_one(a_beacon(**fields)).beacons) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Code.BAD_JSON),
        (b"{", Code.BAD_JSON),
        (b"NaN", Code.BAD_JSON),
        (b'{"site":"a","props":{"x":NaN}}', Code.BAD_JSON),
        (b'{"site":"a","props":{"x":Infinity}}', Code.BAD_JSON),
        (b'{"site":"\xff"}', Code.BAD_ENCODING),
        (b'{"site":"\xed\xa0\x80"}', Code.BAD_ENCODING),
        (b"[]", Code.BAD_VALUE),
        (b'{"x":' + b"[" * 32 + b"]" * 32 + b"}", Code.TOO_DEEP),
        (b"[" * 100_000, Code.TOO_DEEP),
        (b"[" + b",".join([b"{}"] * 101) + b"]", Code.TOO_MANY_EVENTS),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(body: bytes, code: Code) -> None:
    with pytest.raises(Refusal) as refusal:
        read(body, ANYONE)
    assert refusal.value.code == code


def test_brackets_within_text_do_not_count_as_depth() -> None:
    fields = a_beacon(title="[" * 200, unknown='"' + "{" * 40)
    assert read_one(fields).ignored == ("unknown",)
    assert MAX_DEPTH == 32


@pytest.mark.parametrize("end", [b"", b"\\", b'"]'])
def test_a_body_of_escaped_quotes_is_read_once_not_from_each_of_them(end: bytes) -> None:
    # Quadratic work on half a megabyte takes hours; that this ends at all is the assertion.
    with pytest.raises(Refusal):
        read(b'["' + b'\\"' * 250_000 + end + b"[", ANYONE)


def test_nul_and_lone_surrogates_become_replacement_characters() -> None:
    body = rb'{"site":"a","url":"https://a/","title":"\ud83d\ude00 \ud800 \u0000 \\u0000"}'
    [beacon] = read(body, ANYONE).beacons
    assert beacon.title == "\N{GRINNING FACE} � � \\u0000"


def test_an_array_keeps_its_sound_events_and_names_the_others() -> None:
    reading = read_one([a_beacon(), a_beacon(age_ms=-1), 7, a_beacon(site="b"), a_beacon()])
    assert len(reading.beacons) == 2
    assert reading.taken == [0, 4]
    assert [(fault.index, fault.code) for fault in reading.faults] == [
        (1, Code.OUT_OF_RANGE),
        (2, Code.WRONG_TYPE),
        (3, Code.MIXED_SITES),
    ]


def test_unknown_fields_are_ignored_and_named() -> None:
    reading = read_one([a_beacon(session_id="s"), a_beacon(zebra=1)])
    assert len(reading.beacons) == 2
    assert reading.ignored == ("session_id", "zebra")


@pytest.mark.parametrize(
    ("ts", "caller", "sound"),
    [
        (NOW // US_PER_MS, KEYED, True),
        ((NOW - US_PER_DAY) // US_PER_MS, KEYED, True),
        ((NOW - US_PER_DAY) // US_PER_MS - 1, KEYED, False),
        (NOW // US_PER_MS + 300_000, KEYED, True),
        (NOW // US_PER_MS + 300_001, KEYED, False),
        ("2026-09-21T14:13:20Z", KEYED, True),
        ("2026-09-21T14:13:20+02:00", KEYED, True),
        ("2026-09-21T14:13:20", KEYED, False),
        ("yesterday", KEYED, False),
        (10**30, KEYED, False),
        ("2010-01-01T00:00:00Z", KEYED, False),
        ("2010-01-01T00:00:00Z", IMPORTER, True),
        ("1999-12-31T23:59:59Z", IMPORTER, False),
        ("0001-01-01T00:00:00+14:00", IMPORTER, False),
    ],
)
def test_a_time_of_the_clients_own_is_bounded_and_never_clamped(
    ts: str | int, caller: Caller, sound: bool
) -> None:
    assert len(read_one(a_beacon(ts=ts), caller).beacons) == sound


def test_when_it_happened_follows_from_the_envelope_alone() -> None:
    [aged] = read_one(a_beacon(age_ms=1500)).beacons
    [timed] = read_one(a_beacon(ts="2026-09-21T14:13:20Z", age_ms=9), KEYED).beacons
    assert happened_at(aged, NOW, keyed=False) == NOW - 1_500_000
    assert happened_at(timed, NOW, keyed=True) == 1_790_000_000 * US_PER_SECOND


def test_an_address_must_be_one() -> None:
    assert len(read_one(a_beacon(ip="2001:db8::1"), KEYED).beacons) == 1
    assert read_one(a_beacon(ip="example.com"), KEYED).faults[0].field == "ip"


def test_an_engagement_is_never_interactive() -> None:
    [beacon] = read_one(a_beacon(name="engagement", interactive=True)).beacons
    assert not beacon.is_interactive


def test_the_writer_reads_what_the_edge_took() -> None:
    body = json.dumps([a_beacon(), 7, a_beacon(age_ms=5)]).encode()
    taken = read(body, ANYONE).taken
    assert [beacon.age_ms for beacon in reread(body, taken, ANYONE)] == [0, 5]


def test_rereading_with_less_right_is_refused_with_the_fault() -> None:
    body = json.dumps(a_beacon(ts="2010-01-01T00:00:00Z")).encode()
    assert len(reread(body, None, IMPORTER)) == 1
    with pytest.raises(Refusal, match="too far back"):
        reread(body, None, KEYED)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=20))
def test_no_json_value_makes_anything_but_faults_or_a_refusal(value: Any) -> None:
    fields = ("site", "url", "props", "id", "revenue", "items", "ts", "vitals")
    for body in [value, [value], *({"site": "a", name: value} for name in fields)]:
        try:
            reading = read(json.dumps(body).encode(), KEYED)
        except Refusal:
            continue
        assert len(reading.beacons) + len(reading.faults) == reading.events


@given(st.binary(max_size=200))
def test_no_bytes_make_anything_but_faults_or_a_refusal(body: bytes) -> None:
    try:
        reading = read(body, ANYONE)
    except Refusal:
        return
    assert len(reading.beacons) + len(reading.faults) == reading.events
