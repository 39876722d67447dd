from collections.abc import Iterable

import msgspec
import pytest

from realtime.channel import NOTHING_NEW, Channel, News
from realtime.edges import Edges
from realtime.frames import Delta, EdgeState, Frame, Resync, Snapshot, View
from realtime.hub import Hub
from realtime.outbox import Socket
from tests.unit.realtime.live_rows import NOW_MS, row


class Listener:
    """A client whose frames stand in a list."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.backlog = 0
        self.is_cut_off = False

    def backlog_bytes(self) -> int:
        return self.backlog

    def cut_off(self) -> None:
        self.is_cut_off = True

    @property
    def deltas(self) -> list[Delta]:
        return [each for each in self.frames if isinstance(each, Delta)]

    def read(self, frames: list[bytes]) -> None:
        self.frames += [msgspec.json.decode(each, type=Frame) for each in frames]


def broadcast(sockets: Iterable[Socket], frame: bytes) -> None:
    for socket in sockets:
        assert isinstance(socket, Listener)
        socket.read([frame])


@pytest.fixture
def channel() -> Channel:
    made = Channel(Hub(), [], broadcast, queue_bytes=20_000)
    made.begin(10, NOW_MS, Edges())
    return made


def join(channel: Channel, last: int | None = None) -> Listener:
    listener = Listener()
    listener.read(channel.join(listener, last))
    return listener


def test_a_new_client_gets_a_snapshot_and_then_deltas(channel: Channel) -> None:
    listener = join(channel)
    channel.publish(News([row(number=1)]), 11, NOW_MS, Edges())
    snapshot, delta = listener.frames
    assert isinstance(snapshot, Snapshot)
    assert (snapshot.id, snapshot.view.here) == (10, 0)
    assert isinstance(delta, Delta)
    assert (delta.id, delta.view.here, len(delta.feed)) == (11, 1, 1)


def test_nothing_is_sent_where_nothing_changed(channel: Channel) -> None:
    listener = join(channel)
    channel.publish(NOTHING_NEW, 11, NOW_MS + 1_000, Edges())
    assert len(listener.frames) == 1


def test_an_empty_delta_is_sent_where_nothing_else_was_for_five_seconds(channel: Channel) -> None:
    listener = join(channel)
    for second in range(1, 12):
        channel.publish(NOTHING_NEW, 10, NOW_MS + second * 1_000, Edges())
    assert listener.deltas == [
        Delta(10, NOW_MS + 5_000, View()),
        Delta(10, NOW_MS + 10_000, View()),
    ]


def test_a_frame_with_news_puts_the_empty_one_off(channel: Channel) -> None:
    listener = join(channel)
    channel.publish(News([row(number=1)]), 11, NOW_MS + 4_000, Edges())
    channel.publish(NOTHING_NEW, 11, NOW_MS + 8_000, Edges())
    assert [each.at for each in listener.deltas] == [NOW_MS + 4_000]


def test_an_empty_delta_is_not_kept_for_those_who_resume(channel: Channel) -> None:
    channel.publish(NOTHING_NEW, 10, NOW_MS + 5_000, Edges())
    assert join(channel, last=10).frames == []


def test_time_alone_sends_a_delta(channel: Channel) -> None:
    channel.publish(News([row(number=1)]), 11, NOW_MS, Edges())
    listener = join(channel)
    channel.publish(NOTHING_NEW, 11, NOW_MS + 300_000, Edges())
    assert listener.deltas[-1].view.here == 0


def test_an_edge_that_falls_silent_is_told(channel: Channel) -> None:
    listener = join(channel)
    channel.publish(NOTHING_NEW, 10, NOW_MS, Edges({"fra": EdgeState(NOW_MS, 3)}))
    assert listener.deltas[-1].view.edges == {"fra": EdgeState(NOW_MS, 3)}


def test_a_horizon_that_moved_on_is_told_at_once_and_not_kept(channel: Channel) -> None:
    listener = join(channel)
    channel.publish(NOTHING_NEW, 10, NOW_MS + 1_000, Edges(final_until=NOW_MS - 1_000))
    channel.publish(NOTHING_NEW, 10, NOW_MS + 2_000, Edges(final_until=NOW_MS - 1_000))
    channel.publish(NOTHING_NEW, 10, NOW_MS + 3_000, Edges(final_until=NOW_MS))
    assert listener.deltas == [
        Delta(10, NOW_MS + 1_000, View(), final_until=NOW_MS - 1_000),
        Delta(10, NOW_MS + 3_000, View(), final_until=NOW_MS),
    ]
    assert join(channel, last=10).frames == []


def test_a_client_that_resumes_is_told_the_horizon_within_five_seconds(channel: Channel) -> None:
    channel.publish(NOTHING_NEW, 10, NOW_MS + 1_000, Edges(final_until=NOW_MS))
    listener = join(channel, last=10)
    for second in range(2, 7):
        channel.publish(NOTHING_NEW, 10, NOW_MS + second * 1_000, Edges(final_until=NOW_MS))
    assert [each.final_until for each in listener.deltas] == [NOW_MS]


def test_every_frame_with_news_and_every_snapshot_says_the_horizon(channel: Channel) -> None:
    listener = join(channel)
    channel.publish(News([row(number=1)]), 11, NOW_MS, Edges(final_until=NOW_MS - 2_000))
    late = join(channel)
    snapshot = late.frames[0]
    assert isinstance(snapshot, Snapshot)
    assert (listener.deltas[-1].final_until, snapshot.final_until) == (NOW_MS - 2_000,) * 2


def test_a_client_that_resumes_gets_the_frames_after_its_last(channel: Channel) -> None:
    for commit in (11, 12, 13):
        channel.publish(News([row(number=commit)]), commit, NOW_MS, Edges())
    listener = join(channel, last=12)
    assert [(type(each), each.id) for each in listener.frames] == [(Delta, 12), (Delta, 13)]


def test_a_client_that_missed_nothing_gets_nothing(channel: Channel) -> None:
    assert join(channel, last=10).frames == []


@pytest.mark.parametrize("last", [3, 99, -1])
def test_a_client_whose_last_is_not_known_gets_a_resync_and_a_snapshot(
    channel: Channel, last: int
) -> None:
    frames = join(channel, last).frames
    assert [type(each) for each in frames] == [Resync, Snapshot]


def test_frames_that_are_not_kept_any_more_lead_to_a_resync(channel: Channel) -> None:
    for commit in range(11, 300):
        channel.publish(News([row(number=commit)]), commit, NOW_MS, Edges())
    assert isinstance(join(channel, last=11).frames[0], Resync)
    assert isinstance(join(channel, last=298).frames[0], Delta)


def test_a_client_that_lags_is_cut_off_and_the_others_are_not(channel: Channel) -> None:
    slow, quick = join(channel), join(channel)
    slow.backlog = 20_001
    channel.publish(News([row(number=1)]), 11, NOW_MS, Edges())
    assert slow.is_cut_off
    assert (len(slow.frames), len(quick.frames)) == (1, 2)


def test_a_row_whose_place_another_took_leaves_the_numbers_and_the_feed(channel: Channel) -> None:
    channel.publish(News([row(number=1, page="/old")]), 11, NOW_MS, Edges())
    listener = join(channel)
    came, gone = row(number=2, page="/new"), row(number=1, page="/old")
    channel.publish(News([came], [gone], {1: NOW_MS // 1_000}), 12, NOW_MS, Edges())
    delta = listener.frames[-1]
    assert isinstance(delta, Delta)
    assert delta.view.pages == {"/old": None, "/new": 1}
    assert delta.gone == [gone.event_id]
    assert delta.view.here is None
    assert [event.page for event in delta.feed] == ["/new"]


def test_news_that_was_counted_elsewhere_adds_to_the_numbers(channel: Channel) -> None:
    channel.publish(News([row(number=1)]), 11, NOW_MS, Edges())
    listener = join(channel)
    counted = Hub()
    counted.take([row(number=2), row(number=3, visitor=2)])
    channel.publish(News([row(number=3, visitor=2)], counted=counted), 12, NOW_MS, Edges())
    assert listener.deltas[-1].view.pages == {"/": 3}
    assert listener.deltas[-1].view.here == 2
    assert len(listener.deltas[-1].feed) == 1


def test_a_channel_knows_since_when_nobody_listens(channel: Channel) -> None:
    assert channel.empty_since_ms == NOW_MS
    listener = join(channel)
    assert channel.empty_since_ms is None
    channel.leave(listener, NOW_MS + 5)
    assert channel.empty_since_ms == NOW_MS + 5
