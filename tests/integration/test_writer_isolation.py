"""A fault of one entry stays with it: in preparing, and in storing, whatever its kind."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from shared.clock import US_PER_DAY
from tests.writer_world import NOON, FakeEdge, Pipe, envelope, put_site, rows, standing
from writer.database import DataRefused, Unavailable
from writer.draft import Draft
from writer.prepare import Preparer

HELD = "select seq, index, reason, detail from quarantine order by quarantine_id"


@pytest.fixture
def pipe(database: str) -> Iterator[Pipe]:
    put_site(database)
    made = Pipe(database)
    yield made
    made.close()


def do(database: str, statement: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement.encode())


def failing_on(title: str, method: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    def fail(draft: Draft, *more: Any) -> Any:
        if draft.beacon.title == title:
            raise error
        return method(draft, *more)

    return fail


@pytest.mark.parametrize("error", [OverflowError(), RecursionError(), psycopg.DataError()])
def test_an_event_without_a_place_in_time_is_set_aside_alone(
    database: str, pipe: Pipe, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe.preparer, "_day", failing_on("odd", pipe.preparer._day, error))
    edge = FakeEdge()
    pipe.put(
        edge.entry([envelope(title=title) for title in ("a", "odd", "b")]),
        edge.entry([envelope(title="c")]),
    )
    assert sorted(standing(database, "title")) == [("a",), ("b",), ("c",)]
    [(seq, index, reason, detail)] = rows(database, HELD)
    assert (seq, index, reason) == (1, 1, "unpreparable")
    assert detail in ("OverflowError", "RecursionError", "DataRefused")


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
    assert rows(database, HELD) == [(None, None, "unpreparable", "ZeroDivisionError")]
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
    assert rows(database, HELD) == [(None, None, "refused_by_database", "23514")]


def test_what_no_parameter_can_hold_is_refused_alone(
    database: str, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    import writer.store

    put_rows = writer.store._put_rows

    def fail(cursor: Any, batch_rows: Any, commit_no: int) -> Any:
        if any(row.draft.beacon.title == "odd" for row in batch_rows):
            raise OverflowError
        return put_rows(cursor, batch_rows, commit_no)

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
