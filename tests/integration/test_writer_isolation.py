"""A fault of one entry stays with it: in preparing, and in storing, whatever its kind."""

from typing import Any

import msgspec
import psycopg
import pytest

from shared.batch import Sealed, open_sealed
from shared.clock import US_PER_DAY, US_PER_HOUR
from tests.writer_world import NOON, FakeEdge, Pipe, envelope, put_site, rows, standing
from writer.database.connection import DataRefused, Unavailable
from writer.draft import Draft
from writer.prepare import Preparer

HELD = "select seq, index, reason, detail from quarantine order by quarantine_id"


def do(database: str, statement: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.mark.parametrize("error", [OverflowError(), RecursionError(), psycopg.DataError()])
def test_an_event_without_a_place_in_time_is_set_aside_alone(
    database: str, pipe: Pipe, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    when, odd = pipe.preparer._when, NOON + US_PER_HOUR

    def fail(site_id: int, ts: int, now: int) -> Any:
        if ts == odd:
            raise error
        return when(site_id, ts, now)

    monkeypatch.setattr(pipe.preparer, "_when", fail)
    edge = FakeEdge()
    pipe.put(
        edge.entry([envelope(title="a"), envelope(received_at=odd), envelope(title="b")]),
        edge.entry([envelope(title="c")]),
    )
    assert sorted(standing(database, "title")) == [("a",), ("b",), ("c",)]
    [(seq, index, reason, detail)] = rows(database, HELD)
    assert (seq, index, reason) == (1, 1, "unpreparable")
    assert detail in ("OverflowError", "RecursionError", "DataRefused")


@pytest.mark.parametrize(
    "received_at",
    [1 << 62, -(1 << 62), 253_402_300_799_000_000, -62_135_596_800_000_000],
    ids=["year 148107", "year -144166", "year 9999", "year 1"],
)
@pytest.mark.parametrize("site", ["example.com", "unknown.example"])
def test_a_time_beyond_the_calendar_is_set_aside_even_where_no_bound_caught_it(
    database: str, pipe: Pipe, received_at: int, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a batch had been opened by a version that knew no bounds."""

    def open_unbounded(*arguments: Any) -> Sealed:
        sealed = open_sealed(*arguments)
        [captured] = sealed.envelopes
        if captured.site == "example.com" and captured.received_at == NOON:
            return sealed
        wild = msgspec.structs.replace(captured, received_at=received_at)
        return Sealed(sealed.header, [wild])

    monkeypatch.setattr("writer.decode.open_sealed", open_unbounded)
    edge = FakeEdge()
    pipe.put(
        edge.entry([envelope(title="a")]),
        edge.entry([envelope(site=site, received_at=NOON + 1)]),
        edge.entry([envelope(title="b")]),
    )
    assert sorted(standing(database, "title")) == [("a",), ("b",)]
    held = [seq for seq, *_ in rows(database, HELD)]
    assert held == [2] or rows(database, "select reason, events from dropped") == [("retention", 1)]


def test_an_entry_that_nothing_can_be_made_of_is_set_aside_whole_and_once(
    database: str, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode_into = Preparer._encode_into

    def fail(self: Preparer, batch: Any, draft: Draft) -> None:
        if draft.beacon.title == "odd":
            raise ZeroDivisionError
        encode_into(self, batch, draft)

    monkeypatch.setattr(Preparer, "_encode_into", fail)
    edge = FakeEdge()
    odd, sound = edge.entry([envelope(title="odd")] * 2), edge.entry([envelope(title="a")])
    for _ in range(2):
        outcomes = pipe.put(sound, odd, sound)
    assert standing(database, "title") == [("a",)]
    assert rows(database, HELD) == [(1, None, "unpreparable", "ZeroDivisionError")]
    assert rows(database, "select seq from batch") == [(2,)]
    assert sum(outcome.repeated_batches for outcome in outcomes) == 2


def test_a_fault_of_the_sites_is_waited_for_and_blames_no_event(
    database: str, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = FakeEdge().entry([envelope()])
    with monkeypatch.context() as broken:
        broken.setattr(pipe.preparer, "_read_sites", lambda: [].pop())
        with pytest.raises(Unavailable):
            pipe.put(entry)
    pipe.put(entry)
    assert len(standing(database)) == 1


def test_a_batch_that_the_database_refuses_is_set_aside_whole_and_once(
    database: str, pipe: Pipe
) -> None:
    do(database, "alter table batch add check (seq <> 2)")
    edge = FakeEdge()
    entries = [edge.entry([envelope(title=title)]) for title in "abc"]
    for _ in range(2):
        pipe.put(*entries)
    assert sorted(standing(database, "title")) == [("a",), ("c",)]
    assert rows(database, HELD) == [(2, None, "refused_by_database", "23514")]


def test_what_no_parameter_can_hold_is_refused_alone(
    database: str, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    import writer.store

    put_rows = writer.store._put_rows

    def fail(cursor: Any, batch_rows: Any, commit_no: int, **how: Any) -> Any:
        if any(row.draft.beacon.title == "odd" for row in batch_rows):
            raise OverflowError
        return put_rows(cursor, batch_rows, commit_no, **how)

    monkeypatch.setattr(writer.store, "_put_rows", fail)
    pipe.put(FakeEdge().entry([envelope(title=title) for title in ("a", "odd", "b")]))
    assert sorted(standing(database, "title")) == [("a",), ("b",)]
    assert rows(database, HELD) == [(1, 1, "refused_by_database", "OverflowError")]


def test_what_cannot_even_be_set_aside_is_said_after_the_rest_is_stored(
    database: str, pipe: Pipe
) -> None:
    do(database, "alter table batch add check (seq <> 1)")
    do(database, "alter table quarantine add check (index is not null)")
    edge = FakeEdge()
    with pytest.raises(DataRefused):
        pipe.put(edge.entry([envelope(title="a")]), edge.entry([envelope(title="b")]))
    assert standing(database, "title") == [("b",)]


def test_an_event_past_retention_leaves_no_day_behind(database: str) -> None:
    put_site(database, "old.example", keep_days=30)
    pipe = Pipe(database)
    long_ago = NOON - 40 * US_PER_DAY
    pipe.put(FakeEdge().entry([envelope(site="old.example", received_at=long_ago)]))
    pipe.close()
    assert rows(database, "select day::text, reason, events from dropped") == [
        ("2026-05-01", "retention", 1)
    ]
    assert rows(database, "select count(*) from site_day") == [(0,)]
    assert rows(database, "select count(*) from salt") == [(0,)]
