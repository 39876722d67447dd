"""The quick look at a beacon never finds sound what the whole of the checks finds a fault in."""

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import beacon
from shared.beacon import Beacon, Caller, fault_of, is_plainly_sound

NOW = 1_790_000_000_000_000
CALLERS = [Caller(NOW), Caller(NOW, keyed=True), Caller(NOW, keyed=True, may_import=True)]

wide = st.sampled_from("aé漢\N{GRINNING FACE} \t\n\0%[]@\\/?#:.-_ſK")
hosts = st.sampled_from(["shop.example", "1.2.3.4:80", "", ":1", "[::1]", "[x", "a@b", "a%62", "ä"])
schemes = st.sampled_from(["https://", "http://", "HTTPS://", "httpſ://", "ftp://", "https:/", ""])
rests = st.sampled_from(["", "/", "?q", "#f", "/a b", "/ä", "\\x", "/[", "/" + "x" * 2_040])


def around(limit: int) -> st.SearchStrategy[str]:
    """Texts of some characters about a limit in bytes."""
    lengths = st.sampled_from([0, 1, limit // 4, limit // 4 + 1, limit, limit + 1])
    return st.builds(lambda one, length: one * length, wide, lengths)


def numbers(most: int) -> st.SearchStrategy[int]:
    return st.sampled_from([-1, 0, 1, most, most + 1])


beacons = st.fixed_dictionaries(
    {
        "site": st.just("shop.example") | around(beacon.MAX_SITE),
        "url": st.builds(lambda *parts: "".join(parts), schemes, hosts, rests) | wide,
    },
    optional={
        "name": st.sampled_from(["pageview", "engagement", "buy"]) | around(beacon.MAX_NAME),
        "title": around(beacon.MAX_TITLE),
        "referrer": around(beacon.MAX_URL),
        "width": numbers(beacon.MAX_WIDTH),
        "age_ms": numbers(beacon.MAX_AGE_MS),
        "engaged_ms": numbers(beacon.MAX_ENGAGED_MS),
        "scroll_pct": numbers(100),
        "user_id": around(beacon.MAX_USER_ID),
        "props": st.dictionaries(wide, wide, max_size=2),
        "vitals": st.dictionaries(wide, st.floats(), max_size=2),
        "ts": st.integers() | wide,
        "ip": wide,
        "user_agent": wide,
    },
)


@given(beacons, st.sampled_from(CALLERS))
def test_what_is_plainly_sound_has_no_fault(fields: dict[str, Any], caller: Caller) -> None:
    event = Beacon(**fields)
    if is_plainly_sound(event):
        with patch.object(beacon, "is_plainly_sound", return_value=False):
            assert fault_of(event, caller) is None


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"title": "x" * 75, "referrer": "https://www.google.com/", "width": 1200},
        {"name": "engagement", "engaged_ms": 5_000, "scroll_pct": 80},
        {"props": {"plan": "pro", "n": 7, "new": True}},
        {"url": "http://shop.example:8080/a?b=c&d=%C3%A9#top"},
    ],
)
def test_the_usual_beacon_is_plainly_sound(fields: dict[str, Any]) -> None:
    assert is_plainly_sound(Beacon(**{"site": "shop.example", "url": "https://a.b/", **fields}))
