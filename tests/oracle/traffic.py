"""Generated events of one site: visits, ties, midnights, both changes of the clock, odd offsets,
engagement before, in and after visits, revenue in several currencies, properties, bots, events
without a visitor, and rows that another took the place of."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

Event = dict[str, Any]

TEXTS = ("", "a", "A", "ab", "ä", "Ä", "ß", "SS", "\U0001f600", "￿", "a b", "%", "_", "\\", "'")
PAGES = ("/", "/a", "/A", "/ab", "/ä", "/a%b", "")
FREE = (
    "hostname", "referrer", "source", "channel",
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
    "country", "region", "city", "browser", "browser_version", "os", "os_version", "device",
    "language", "screen",
)  # fmt: skip
COUNTRIES = ("", "DE", "FR", "QQ", "a", "ZZ")
PROPS: tuple[dict[str, Any] | None, ...] = (
    None,
    {"plan": "pro"},
    {"plan": "Pro", "n": 1, "$.a/b": "x"},
    {"plan": "", "n": 1.5, "ok": True},
    {"plan": None, "n": "1", "ok": False},
    {"n": -20, "plan": "(none)"},
)
PROP_KEYS = ("plan", "n", "ok", "$.a/b", "never")
REVENUES = ((None, None), (None, None), (12_500, "EUR"), (-3, "EUR"), (999, "USD"), (0, "JPY"))
ENGAGED = ((None, None), (0, 0), (1_500, None), (999, 33), (None, 100), (3_600_000, 50))
NAMES = ("pageview", "pageview", "pageview", "signup", "scroll", "engagement")

ZONES = {
    "UTC": datetime(2023, 12, 31, 22, tzinfo=UTC),
    "Asia/Kathmandu": datetime(2024, 2, 28, 17, 30, tzinfo=UTC),
    "Europe/Berlin": datetime(2024, 3, 31, 0, 30, tzinfo=UTC),
    "America/New_York": datetime(2024, 11, 3, 5, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2024, 4, 6, 14, 15, tzinfo=UTC),
    "Pacific/Apia": datetime(2011, 12, 30, 8, tzinfo=UTC),
}
"""Where traffic begins in each zone: shortly before something odd happens there."""

GAPS = (
    timedelta(0),
    timedelta(0),
    timedelta(0),
    timedelta(microseconds=1),
    timedelta(milliseconds=1, microseconds=999),
    timedelta(seconds=7),
    timedelta(minutes=30) - timedelta(microseconds=1),
    timedelta(minutes=30),
    timedelta(minutes=30, microseconds=1),
    timedelta(hours=1),
    timedelta(hours=9),
    timedelta(hours=25),
)

COMMITS = 3


@st.composite
def traffic(draw: st.DrawFn) -> tuple[str, list[Event]]:
    """(zone, events in an order of arrival that says nothing). ``commit_in`` and ``commit_out``
    are 1 to COMMITS."""
    zone = draw(st.sampled_from(sorted(ZONES)))
    events: list[Event] = []
    for visitor in draw(st.lists(st.sampled_from((1, 2, -3, None)), min_size=1, max_size=4)):
        ts = ZONES[zone] + draw(st.sampled_from(GAPS))
        for _ in range(draw(st.integers(1, 8))):
            ts += draw(st.sampled_from(GAPS))
            events.append(draw(_event(zone, ts, visitor, len(events))))
    return zone, draw(st.permutations(events))


@st.composite
def _event(draw: st.DrawFn, zone: str, ts: datetime, visitor: int | None, index: int) -> Event:
    local = ts.astimezone(ZoneInfo(zone))
    name = draw(st.sampled_from(NAMES))
    commit_in = draw(st.integers(1, COMMITS))
    gone = draw(st.integers(commit_in + 1, 4 * COMMITS))
    return {
        "ts": ts,
        "event_id": UUID(int=draw(st.integers(0, 7)) << 125 | index),
        "commit_in": commit_in,
        "commit_out": gone if gone <= COMMITS else None,
        "day": local.date(),
        "hour": local.hour,
        "visitor": visitor,
        "name": name,
        "interactive": name in ("pageview", "signup"),
        "bot": draw(st.sampled_from((None,) * 9 + ("Googlebot",))),
        "page": draw(st.sampled_from(PAGES)),
        **_texts(draw(st.integers(0, 5))),
        **_extras(name, draw(st.integers(0, 5))),
    }


def _texts(variant: int) -> dict[str, str]:
    """Every free column, another text in each; variant 0 is all empty."""
    texts = {name: TEXTS[variant * place % len(TEXTS)] for place, name in enumerate(FREE, 1)}
    return {**texts, "country": COUNTRIES[variant]}


def _extras(name: str, variant: int) -> dict[str, Any]:
    """What only some events have: variant 0 has nothing."""
    revenue, currency = REVENUES[variant] if name == "signup" else (None, None)
    engaged_ms, scroll_pct = ENGAGED[variant] if name == "engagement" else (None, None)
    return {
        "props": PROPS[variant],
        "revenue": revenue,
        "currency": currency,
        "engaged_ms": engaged_ms,
        "scroll_pct": scroll_pct,
    }


def long_visit(zone: str, visitor: int, count: int) -> list[Event]:
    """One visitor's many events, a second apart with ties, across a visit's end."""
    events = []
    ts = ZONES[zone]
    for index in range(count):
        ts += timedelta(minutes=31) if index == count // 2 else timedelta(seconds=index % 3)
        local = ts.astimezone(ZoneInfo(zone))
        name = NAMES[index % len(NAMES)]
        events.append(
            {
                "ts": ts,
                "event_id": UUID(int=index % 8 << 125 | visitor << 32 | index),
                "commit_in": 1 + index % COMMITS,
                "commit_out": None,
                "day": local.date(),
                "hour": local.hour,
                "visitor": visitor,
                "name": name,
                "interactive": name in ("pageview", "signup"),
                "bot": None,
                "page": PAGES[index % len(PAGES)],
                **_texts(index % 6),
                **_extras(name, index % 5),
            }
        )
    return events
