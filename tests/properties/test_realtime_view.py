"""Applying the frames of any history gives the view that a fresh count of its rows gives."""

from collections.abc import Iterable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.channel import Channel, News
from realtime.edges import Edges
from realtime.frames import Delta, Frame, Snapshot, View
from realtime.hub import Hub
from realtime.outbox import Socket
from realtime.present import HERE_S
from realtime.row import Row, is_counted
from tests.unit.realtime.live_rows import NOW_MS, row

ROWS = st.builds(
    row,
    st.integers(-120_000, 2_000_000),
    visitor=st.none() | st.integers(1, 6),
    name=st.sampled_from(["pageview", "pageview", "signup", "engagement"]),
    bot=st.sampled_from([None, None, "curl"]),
    page=st.sampled_from([f"/{c}" for c in "abcdefghijklmn"]),
    source=st.sampled_from(["", "Google", "ChatGPT"]),
    country=st.sampled_from(["", "CH", "FR"]),
)
Step = tuple[int, list[Row], list[int], bool]
"""How much time passed (ms), what came, which of all rows went (by index, if it is one), and
whether what came was counted elsewhere."""
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.integers(0, 400_000),
        st.lists(ROWS, max_size=8),
        st.lists(st.integers(0, 30), max_size=3, unique=True),
        st.booleans(),
    ),
    max_size=12,
)


class Mirror:
    """A client: it knows only what its frames said."""

    def __init__(self) -> None:
        self.view: dict[str, Any] = {}

    def backlog_bytes(self) -> int:
        return 0

    def cut_off(self) -> None:
        raise AssertionError("it keeps up")

    def read(self, encoded: bytes) -> None:
        frame = msgspec.json.decode(encoded, type=Frame)
        assert isinstance(frame, Snapshot | Delta)
        if isinstance(frame, Snapshot):
            self.view = msgspec.structs.asdict(View())
        for name, value in msgspec.structs.asdict(frame.view).items():
            if isinstance(value, dict):
                merged = {**self.view[name], **value}
                self.view[name] = {k: v for k, v in merged.items() if v is not None}
            elif value is not None:
                self.view[name] = value


def broadcast(sockets: Iterable[Socket], frame: bytes) -> None:
    for socket in sockets:
        assert isinstance(socket, Mirror)
        socket.read(frame)


def fresh(rows: list[Row], now_ms: int) -> dict[str, Any]:
    hub = Hub()
    hub.take(rows)
    return msgspec.structs.asdict(hub.view(now_ms))


def seen(rows: list[Row], now_ms: int) -> dict[int, int]:
    """As the database would say when each visitor was last seen."""
    return {
        each.visitor: each.ts_ms // 1_000
        for each in sorted(rows, key=lambda each: each.ts_ms)
        if is_counted(each) and each.visitor is not None and each.ts_ms >= now_ms - HERE_S * 1_000
    }


def news(came: list[Row], gone: list[Row], rows: list[Row], now_ms: int, counted: bool) -> News:
    hub = Hub()
    hub.take(came)
    recent = [each for each in gone if each.ts_ms >= now_ms - HERE_S * 1_000]
    last = seen(rows, now_ms)
    known = {each.visitor: last.get(each.visitor) for each in recent if each.visitor is not None}
    return News(came, gone, known, hub if counted else None)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_deltas_applied_to_a_snapshot_give_the_fresh_view(steps: list[Step]) -> None:
    channel = Channel(Hub(), [], broadcast, 1_000_000)
    channel.begin(0, NOW_MS, Edges())
    mirror, rows, now_ms = Mirror(), list[Row](), NOW_MS
    for frame in channel.join(mirror, None):
        mirror.read(frame)
    for commit, (passed_ms, came, went, counted) in enumerate(steps, 1):
        now_ms += passed_ms
        gone = [rows[index] for index in went if index < len(rows)]
        rows = [each for index, each in enumerate(rows) if index not in went] + came
        channel.publish(news(came, gone, rows, now_ms, counted), commit, now_ms, Edges())
        assert mirror.view == fresh(rows, now_ms)


@given(st.lists(ROWS, max_size=30), st.integers(0, 400_000))
def test_here_is_the_number_of_visitors_seen_in_five_minutes(
    rows: list[Row], passed_ms: int
) -> None:
    now_ms = NOW_MS + passed_ms
    here = {
        each.visitor
        for each in rows
        if each.visitor is not None
        and each.bot is None
        and each.name != "engagement"
        and each.ts_ms // 1_000 > now_ms // 1_000 - HERE_S
    }
    assert fresh(rows, now_ms)["here"] == len(here)
