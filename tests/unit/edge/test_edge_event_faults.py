"""What is wrong with single events, and what becomes of their neighbours."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import receipt
from tests.edge_under_test import (
    BEACON,
    SITE,
    EdgeUnderTest,
    key_rules,
    snapshot,
    stored_envelopes,
)

pytestmark = pytest.mark.anyio

SECRET = "mr_test-secret"
WIDE = "\N{GRINNING FACE}" * 512
"""2,048 bytes of four-byte characters."""


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"site": ""}, "missing_field", "site"),
        ({"site": 3}, "wrong_type", "site"),
        ({"url": "data:text/html,<script>"}, "bad_value", "url"),
        ({"url": "javascript:alert(1)"}, "bad_value", "url"),
        ({"url": "/relative"}, "bad_value", "url"),
        ({"url": ""}, "missing_field", "url"),
        ({"url": "https://shop.example/" + "x" * 2048}, "too_long", "url"),
        ({"name": "x" * 121}, "too_long", "name"),
        ({"title": "x" * 301}, "too_long", "title"),
        ({"title": 7}, "wrong_type", "title"),
        ({"referrer": "x" * 2049}, "too_long", "referrer"),
        ({"id": "nope"}, "wrong_type", "id"),
        ({"props": {"a": []}}, "wrong_type", "props"),
        ({"props": {str(n): n for n in range(31)}}, "too_many", "props"),
        ({"props": {"k": "v" * 2049}}, "too_long", "props"),
        ({"props": {"k" * 301: 1}}, "too_long", "props"),
        ({"revenue": {"amount": "1.2345", "currency": "EUR"}}, "out_of_range", "revenue.amount"),
        ({"revenue": {"amount": "1", "currency": "euro"}}, "bad_value", "revenue.currency"),
        ({"items": [{}] * 31}, "too_many", "items"),
        ({"user_id": "u" * 201}, "too_long", "user_id"),
        ({"age_ms": -1}, "out_of_range", "age_ms"),
        ({"age_ms": 86_400_001}, "out_of_range", "age_ms"),
        ({"scroll_pct": 101}, "out_of_range", "scroll_pct"),
        ({"width": "wide"}, "wrong_type", "width"),
        ({"interactive": "yes"}, "wrong_type", "interactive"),
        ({"ts": 1_790_000_000_000}, "needs_key", "ts"),
        ({"ip": "192.0.2.1"}, "needs_key", "ip"),
        ({"user_agent": "x"}, "needs_key", "user_agent"),
        ({"site": "nowhere.example"}, "unknown_site", "site"),
    ],
)
async def test_a_single_faulty_event_is_a_400_that_names_the_field(
    edge: EdgeUnderTest, fields: dict[str, Any], code: str, field: str
) -> None:
    answer = await edge.post({**BEACON, **fields})
    assert (answer.status, answer.code) == (400, code)
    assert answer.json["error"]["field"] == field


@pytest.mark.parametrize(
    "field", ["site", "name", "url", "referrer", "title", "id", "user_id", "ts", "ip", "user_agent"]
)
async def test_2048_bytes_of_four_byte_characters_make_no_trouble_in_any_field(
    edge: EdgeUnderTest, field: str
) -> None:
    edge.use(snapshot(2, keys=(key_rules(SECRET, SITE, "ingest"),)))
    answer = await edge.post({**BEACON, field: WIDE}, authorization=f"Bearer {SECRET}")
    # Only a referrer may be that long and may be anything.
    assert answer.status == (202 if field == "referrer" else 400)


async def test_2048_bytes_of_four_byte_characters_fit_a_prop(
    edge: EdgeUnderTest, primary: str
) -> None:
    beacon = {**BEACON, "props": {"mood": WIDE}}
    assert (await edge.post(beacon)).status == 202
    assert len(stored_envelopes(primary)) == 1


async def test_the_sound_events_of_an_array_are_taken_and_the_others_named(
    edge: EdgeUnderTest, primary: str
) -> None:
    answer = await edge.post([BEACON, {**BEACON, "url": "data:x"}, 3, BEACON])
    assert answer.status == 202
    assert answer.json["accepted"] == 2
    receipts = answer.json["receipts"]
    assert receipts[1] is None
    assert receipts[2] is None
    assert receipts[0] < receipts[3]
    assert [(fault["index"], fault["code"]) for fault in answer.json["faults"]] == [
        (1, "bad_value"),
        (2, "wrong_type"),
    ]
    assert stored_envelopes(primary)[0].taken == [0, 3]


async def test_an_array_without_a_sound_event_is_a_400_with_all_faults(
    edge: EdgeUnderTest,
) -> None:
    answer = await edge.post([{"site": SITE}, 3])
    assert (answer.status, answer.code) == (400, "missing_field")
    assert [fault["code"] for fault in answer.json["faults"]] == ["missing_field", "wrong_type"]


async def test_an_array_belongs_to_one_site(edge: EdgeUnderTest) -> None:
    answer = await edge.post([BEACON, {**BEACON, "site": "other.example"}])
    assert answer.json["accepted"] == 1
    assert answer.json["faults"][0]["code"] == "mixed_sites"


async def test_nul_and_lone_surrogates_are_taken(edge: EdgeUnderTest) -> None:
    body = (
        b'{"site":"shop.example","url":"https://shop.example/","title":"\\ud800 \\u0000 \\udc00"}'
    )
    assert (await edge.post(body)).status == 202


async def test_unknown_fields_are_ignored_and_named_with_plain_characters_only(
    edge: EdgeUnderTest,
) -> None:
    answer = await edge.post({**BEACON, "session_id": "x", "a\r\nset-cookie: b": 1, "é": 2})
    assert answer.status == 202
    assert answer.headers["x-millrace-ignored"] == "aset-cookieb, session_id"


@pytest.mark.parametrize(
    ("far_off", "scope", "status"),
    [
        (timedelta(hours=-23), "ingest", 202),
        (timedelta(hours=-25), "ingest", 400),
        (timedelta(days=-900), "import", 202),
        (timedelta(minutes=4), "import", 202),
        (timedelta(minutes=6), "import", 400),
        (timedelta(days=-365 * 40), "import", 400),
    ],
)
async def test_a_keyed_ts_is_bounded_by_the_scope_of_its_key(
    edge: EdgeUnderTest, far_off: timedelta, scope: str, status: int
) -> None:
    edge.use(snapshot(2, keys=(key_rules(SECRET, SITE, scope),)))
    ts = (datetime.now(UTC) + far_off).isoformat()
    answer = await edge.post({**BEACON, "ts": ts}, authorization=f"Bearer {SECRET}")
    assert answer.status == status
    if status == 400:
        assert answer.code == "out_of_range"


async def test_a_receipt_is_where_the_edge_counted_the_event(
    edge: EdgeUnderTest, primary: str
) -> None:
    from uuid import UUID

    answer = await edge.post([BEACON, BEACON])
    places = [receipt.place(UUID(text)) for text in answer.json["receipts"]]
    boot = edge.worker.boot.id
    assert places == [receipt.Place(boot, 1, 0), receipt.Place(boot, 1, 1)]


async def test_a_keyed_event_with_id_and_ts_has_the_same_receipt_at_every_retry(
    edge: EdgeUnderTest,
) -> None:
    edge.use(snapshot(2, keys=(key_rules(SECRET, None, "ingest"),)))
    beacon = {
        **BEACON,
        "site": "SHOP.example",
        "id": "0c9d9b0e-5a4e-4d0e-9c39-2f3e6ad2b6a1",
        "ts": datetime.now(UTC).isoformat(),
    }
    first = await edge.post(beacon, authorization=f"Bearer {SECRET}")
    again = await edge.post({**beacon, "site": SITE}, authorization=f"Bearer {SECRET}")
    assert first.json["receipts"] == again.json["receipts"]
