"""Whatever the edge seals the writer opens unchanged; what was touched on the way it notices."""

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from nacl.public import SealedBox

from shared import batch, keys
from shared.envelope import Envelope, Headers

SEAL_KEY = keys.new_seal_key()
PRIVATE = keys.read_private_keys(SEAL_KEY)
KEY_ID, PUBLIC = keys.read_public_key(keys.public_seal_key(SEAL_KEY))

texts = st.text(st.characters(codec="utf-8"), max_size=60)
numbers = st.integers(0, 2**40 - 1)
envelopes = st.builds(
    Envelope,
    received_at=st.integers(946_684_800 * 10**6, 7_258_118_399 * 10**6),
    protocol=st.just(1),
    site=texts,
    ip=texts,
    key=st.none() | st.binary(min_size=32, max_size=32),
    verified=st.booleans(),
    headers=st.builds(Headers, user_agent=texts, language=texts, referer=texts),
    first=st.integers(0, 65_535),
    taken=st.none() | st.lists(st.integers(0, 99), max_size=5),
    body=st.binary(max_size=500),
)
headers = st.builds(
    batch.Header,
    v=st.just(batch.VERSION),
    key=st.just(KEY_ID),
    edge=st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True),
    boot=st.integers(0, 2**48 - 1),
    seq=st.integers(1, 2**40 - 1),
    n=st.integers(0, 65_536),
    low=numbers,
    void=st.lists(numbers, max_size=5).map(tuple),
)


def _sealed(header: batch.Header, contents: list[Envelope]) -> dict[bytes, bytes]:
    fields = batch.seal(header, contents, PUBLIC)
    return {name.encode(): value for name, value in fields.items()}


def _reason(fields: dict[bytes, bytes]) -> str:
    with pytest.raises(batch.DamagedBatch) as damaged:
        batch.open_sealed(fields, PRIVATE)
    return damaged.value.reason


@given(headers, st.lists(envelopes, max_size=6))
def test_what_is_sealed_opens_unchanged(header: batch.Header, contents: list[Envelope]) -> None:
    assert batch.open_sealed(_sealed(header, contents), PRIVATE) == batch.Sealed(header, contents)


@given(headers, st.sampled_from(["edge", "boot", "seq", "n", "low", "void"]))
def test_a_tampered_header_is_noticed(header: batch.Header, field: str) -> None:
    fields = _sealed(header, [])
    fields[field.encode()] += b"1"
    assert _reason(fields) == batch.MISMATCH


@pytest.mark.parametrize(
    "header",
    [
        {"seq": 0},
        {"seq": 2**40},
        {"seq": 2**63},
        {"boot": 2**48},
        {"boot": -1},
        {"n": -1},
        {"n": 2**40},
        {"low": 2**63},
        {"void": (2**63,)},
    ],
)
def test_a_number_out_of_bounds_is_damage_even_where_it_is_well_sealed(
    header: dict[str, int],
) -> None:
    sound = batch.Header(batch.VERSION, KEY_ID, "fra1", 1, 1, 1, 0)
    assert _reason(_sealed(replace(sound, **header), [])) == batch.UNSEALABLE


@pytest.mark.parametrize(
    "envelope",
    [
        {"received_at": 2**62},
        {"received_at": -(2**62)},
        {"received_at": 0},
        {"first": 2**60},
        {"first": -1},
        {"taken": [2**60]},
        {"taken": list(range(100)) * 2},
        {"headers": Headers(user_agent="x" * 1_025)},
        {"ip": "1" * 65},
        {"site": "x" * 254},
        {"key": b"short"},
        {"body": bytes(1024 * 1024 + 1)},
    ],
)
def test_an_envelope_out_of_bounds_is_damage_even_where_it_is_well_sealed(
    envelope: dict[str, object],
) -> None:
    header = batch.Header(batch.VERSION, KEY_ID, "fra1", 1, 1, 1, 0)
    sound = Envelope(
        1_790_000_000_000_000, 1, "a.example", "", None, False, Headers(), 0, None, b""
    )
    assert batch.open_sealed(_sealed(header, [sound]), PRIVATE).envelopes == [sound]
    assert _reason(_sealed(header, [replace(sound, **envelope)])) == batch.UNSEALABLE


def test_endless_nesting_in_a_box_is_damage() -> None:
    header = batch.Header(batch.VERSION, KEY_ID, "fra1", 1, 1, 1, 0)
    fields = _sealed(header, [])
    plain = b"\x93" + msgspec.msgpack.encode(header) + b"\x90" + b"\x91" * 100_000 + b"\xc0"
    fields[b"body"] = SealedBox(PUBLIC).encrypt(zstandard.compress(plain))
    assert _reason(fields) == batch.UNSEALABLE


@given(headers, st.sampled_from(["v", "key", "edge", "boot", "seq", "n", "low", "void", "body"]))
def test_a_missing_field_is_noticed(header: batch.Header, field: str) -> None:
    fields = _sealed(header, [])
    del fields[field.encode()]
    assert _reason(fields) == batch.MALFORMED


@given(headers, st.lists(envelopes, min_size=1, max_size=3), st.data())
def test_a_truncated_or_flipped_body_is_noticed(
    header: batch.Header, contents: list[Envelope], data: st.DataObject
) -> None:
    fields = _sealed(header, contents)
    body = fields[b"body"]
    at = data.draw(st.integers(0, len(body) - 1))
    assert _reason({**fields, b"body": body[:at]}) == batch.UNSEALABLE
    flipped = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
    assert _reason({**fields, b"body": flipped}) == batch.UNSEALABLE


@given(headers)
def test_a_batch_for_another_key_is_noticed(header: batch.Header) -> None:
    fields = _sealed(header, [])
    assert _reason({**fields, b"key": b"other"}) == batch.UNKNOWN_KEY


@settings(max_examples=5, deadline=None)
@given(headers, st.integers(9, 60))
def test_a_body_that_unpacks_to_more_than_8_mib_is_not_unpacked(
    header: batch.Header, mebibytes: int
) -> None:
    bomb = zstandard.ZstdCompressor().compress(b"\0" * (mebibytes * 1024 * 1024))
    fields = {**_sealed(header, []), b"body": SealedBox(PUBLIC).encrypt(bomb)}
    assert len(fields[b"body"]) < 10_000
    assert _reason(fields) == batch.TOO_LARGE
