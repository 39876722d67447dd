"""From lines to ids, events and arrays."""

import gzip
import io
import sys
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from infrastructure.problem import Problem
from infrastructure.replay.access_line import AccessLine
from infrastructure.replay.line_identity import LineIdentities
from infrastructure.replay.log_file import MAX_LINE_BYTES, LogFile
from infrastructure.replay.pace import Pace
from infrastructure.replay.parcel import MAX_PARCEL_BYTES, Parcel
from infrastructure.replay.server_event import Website, website
from shared.beacon import Caller
from shared.beacon_reader import read

LINE = AccessLine("", "203.0.113.9", 1_790_000_000_000, "GET", "/a?b=c", 200, "", "Mozilla/5.0")
SITE = Website("example.com", "https://example.com")
ID = UUID("00000000-0000-4000-8000-000000000001")


def ids(lines: list[bytes], remembered: int = 200_000) -> list[UUID]:
    identities = LineIdentities(remembered)
    return [identities.identify(line) for line in lines]


def test_a_second_replay_gives_the_same_ids_and_a_grown_file_only_new_ones() -> None:
    first = ids([b"a\n", b"b\n", b"a\n"])
    grown = ids([b"a\n", b"b\n", b"a\n", b"a\n", b"c\n"])
    assert grown[:3] == first
    assert len(set(grown)) == 5


def test_line_endings_do_not_change_an_id() -> None:
    assert ids([b"a\r\n"]) == ids([b"a\n"]) == ids([b"a"])


def test_equal_lines_near_one_another_stay_apart_with_bounded_memory() -> None:
    lines = [line for n in range(50) for line in (b"%d" % n, b"other", b"%d" % n)]
    assert len(set(ids(lines, remembered=10))) == len(lines)


def test_every_event_of_a_log_is_one_that_the_edge_takes() -> None:
    targets = [
        "/",
        "/a b",
        "//evil.example/x",
        "http://example.com/p?q",
        "http://h",
        "/é\t",
        "/[x]",
    ]
    hostile = "\x00\ud800".encode("utf-8", "replace").decode() + "🚀" * 5_000
    events = [
        SITE.event(LINE._replace(target=target, referrer=hostile, user_agent=hostile), ID)
        for target in targets
    ]
    reading = read(msgspec.json.encode(events), Caller(1_800_000_000_000_000, True, True))
    assert reading.faults == []
    assert all(beacon.url.startswith("https://example.com/") for beacon in reading.beacons)
    assert reading.beacons[3].url == "https://example.com/p?q"


def test_the_address_path_of_the_site_comes_before_the_requests() -> None:
    shop = website("https://example.com:8443/shop/", None)
    assert shop.site == "example.com"
    assert shop.event(LINE, ID).url == "https://example.com:8443/shop/a?b=c"


def test_an_event_keeps_the_lines_own_time_and_address() -> None:
    event = SITE.event(LINE, ID)
    assert (event.ts, event.ip, event.user_agent) == (LINE.ts_ms, LINE.address, LINE.user_agent)


@pytest.mark.parametrize("address", ["host.example", "unix:", "-"])
def test_a_log_without_addresses_gives_events_without_one(address: str) -> None:
    assert SITE.event(LINE._replace(address=address), ID).ip == ""


@pytest.mark.parametrize("url", ["example.com", "ftp://example.com", "https://", "https://a/?b"])
def test_a_url_that_is_no_site_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(Problem, match="--url"):
        website(url, None)


# --- files -------------------------------------------------------------------------------------


def lines_of(name: str) -> list[bytes]:
    file = LogFile(name)
    try:
        return list(file.lines())
    finally:
        file.close()


def test_plain_and_gzip_files_read_alike_whatever_they_are_called(tmp_path: Path) -> None:
    (tmp_path / "plain.gz").write_bytes(b"a\nb\n")
    (tmp_path / "packed.log").write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    assert (
        lines_of(f"{tmp_path}/plain.gz") == lines_of(f"{tmp_path}/packed.log") == [b"a\n", b"b\n"]
    )


def test_a_gzip_file_that_breaks_off_gives_what_can_be_read(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b"line %d\n" % n for n in range(100_000)))
    (tmp_path / "cut.gz").write_bytes(packed[: len(packed) // 2])
    file = LogFile(f"{tmp_path}/cut.gz")
    assert len(list(file.lines())) > 1_000
    assert file.cut_short


def test_an_endless_line_takes_bounded_memory_and_its_neighbours_are_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a\n" + b"x" * 3 * MAX_LINE_BYTES + b"\nb\n")
    first, long, last = lines_of(f"{tmp_path}/log")
    assert (first, len(long), last) == (b"a\n", MAX_LINE_BYTES, b"b\n")


@pytest.mark.parametrize("content", [b"a\nb\n", gzip.compress(b"a\nb\n")])
def test_a_dash_reads_standard_input(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    piped = io.TextIOWrapper(io.BufferedReader(io.BytesIO(content)))
    monkeypatch.setattr(sys, "stdin", piped)
    assert lines_of("-") == [b"a\n", b"b\n"]


def test_a_missing_file_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="No such file"):
        LogFile(f"{tmp_path}/nothing.log")


# --- arrays and pace ---------------------------------------------------------------------------


def test_an_array_holds_a_hundred_events_at_most() -> None:
    parcel = Parcel()
    full = [body for _ in range(250) if (body := parcel.add(SITE.event(LINE, ID)))]
    rest = parcel.take()
    assert rest is not None
    assert [len(msgspec.json.decode(body)) for body in [*full, rest]] == [100, 100, 50]
    assert parcel.take() is None


def test_an_array_stays_below_the_edges_limit_in_bytes() -> None:
    long = SITE.event(LINE._replace(referrer='"' * 2_048, user_agent="\x01" * 1_024), ID)
    parcel = Parcel()
    full = [body for _ in range(300) if (body := parcel.add(long))]
    assert len(full) > 1
    assert all(len(body) <= MAX_PARCEL_BYTES for body in full)


def test_speed_stretches_the_logs_own_time() -> None:
    pace = Pace(10.0, started_s=100.0)
    assert pace.wait_s(5_000, now_s=100.0) == 0.0
    assert pace.wait_s(25_000, now_s=100.5) == 1.5
    assert pace.wait_s(4_000, now_s=100.5) == 0.0  # out of order


def test_without_a_speed_nothing_waits() -> None:
    assert Pace(None, 0.0).wait_s(10**15, 0.0) == 0.0
