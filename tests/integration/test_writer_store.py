"""What goes into the store comes out once, whatever is repeated, reordered or broken."""

from typing import Any
from uuid import UUID

from shared import receipt
from tests.writer_world import (
    NOON,
    FakeEdge,
    Pipe,
    client_id,
    envelope,
    put_key,
    put_site,
    rows,
    standing,
)

KEY = "mr_" + "k" * 43


def test_an_event_becomes_a_row_with_its_receipt_as_id(database: str, pipe: Pipe) -> None:
    edge = FakeEdge()
    [outcome] = pipe.put(edge.entry([envelope(title="Hello", age_ms=1_500)]))
    assert (outcome.stored, outcome.new_batches) == (1, 1)
    [row] = standing(database, "event_id, title, page, browser, commit_in, day::text, hour, ts")
    assert row[0] == UUID(int=receipt.counted(edge.boot, 1, 0))
    assert row[1:7] == ("Hello", "/", "Chrome", outcome.commit_no, "2026-06-10", 11)
    assert row[7].timestamp() * 1_000_000 == NOON - 1_500_000


def test_a_repeated_batch_adds_nothing(database: str, pipe: Pipe) -> None:
    entry = FakeEdge().entry([envelope()])
    pipe.put(entry)
    [outcome] = pipe.put(entry)
    assert (outcome.stored, outcome.repeated_batches) == (0, 1)
    [outcome] = pipe.put(entry, entry)
    assert (outcome.stored, outcome.repeated_batches) == (0, 2)
    assert len(standing(database)) == 1


def test_a_batch_twice_in_one_read_is_stored_once(database: str, pipe: Pipe) -> None:
    entry = FakeEdge().entry([envelope(), envelope()])
    [outcome] = pipe.put(entry, entry)
    assert (outcome.stored, outcome.new_batches, outcome.repeated_batches) == (2, 1, 1)


def test_the_commit_row_says_which_times_it_touched(database: str, pipe: Pipe) -> None:
    [outcome] = pipe.put(FakeEdge().entry([envelope(age_ms=60_000), envelope()]))
    [found] = rows(database, "select events, last_ts - first_ts from commits")
    assert (found[0], found[1].total_seconds()) == (2, 60)
    assert outcome.commit_no == 1


def test_one_client_id_in_one_read_is_one_event(database: str, pipe: Pipe) -> None:
    edge = FakeEdge()
    same = client_id(1)
    [outcome] = pipe.put(edge.entry([envelope(id=same), envelope(id=same), envelope()]))
    assert (outcome.stored, outcome.duplicate) == (2, 1)


def test_an_earlier_request_takes_the_place_of_a_later_one(database: str, pipe: Pipe) -> None:
    edge = FakeEdge()
    same = client_id(1)
    [late] = pipe.put(edge.entry([envelope(id=same, received_at=NOON, title="late")]))
    [early] = pipe.put(edge.entry([envelope(id=same, received_at=NOON - 1, title="early")]))
    assert standing(database, "title") == [("early",)]
    gone = rows(database, "select title, commit_in, commit_out from events where commit_out > 0")
    assert gone == [("late", late.commit_no, early.commit_no)]


def test_a_later_request_does_not_take_the_place(database: str, pipe: Pipe) -> None:
    edge = FakeEdge()
    same = client_id(1)
    pipe.put(edge.entry([envelope(id=same, title="early")]))
    [outcome] = pipe.put(edge.entry([envelope(id=same, received_at=NOON + 1, title="late")]))
    assert (outcome.stored, outcome.duplicate) == (0, 1)
    assert standing(database, "title") == [("early",)]


def test_the_same_client_id_at_two_sites_is_two_events(database: str, pipe: Pipe) -> None:
    put_site(database, "other.example")
    same = client_id(1)
    pipe.put(FakeEdge().entry([envelope(id=same), envelope(id=same, site="other.example")]))
    assert len(standing(database)) == 2


def test_text_of_four_byte_characters_in_every_field_is_stored(database: str, pipe: Pipe) -> None:
    long = "\U0001f600" * 512
    path = "https://example.com/" + "\U0001f600" * 505
    event: dict[str, Any] = {
        "url": path + "?",
        "referrer": "https://r.example/" + "\U0001f600" * 500,
        "title": long[:75],
        "name": long[:30],
        "props": {"k" * 300: long},
    }
    [outcome] = pipe.put(FakeEdge().entry([envelope(**event)]))
    assert outcome.stored == 1
    assert standing(database, "title, name") == [(long[:75], long[:30])]


def test_what_the_database_refuses_goes_to_the_quarantine_alone(database: str, pipe: Pipe) -> None:
    rows_to_refuse = (
        "alter table events add constraint no_poison check (title <> 'poison')",
        "select 1",
    )
    for statement in rows_to_refuse[:1]:
        _run(database, statement)
    edge = FakeEdge()
    first = edge.entry([envelope(title="a"), envelope(title="poison"), envelope(title="b")])
    outcomes = pipe.put(first, edge.entry([envelope(title="c")]))
    assert sorted(standing(database, "title")) == [("a",), ("b",), ("c",)]
    found = rows(database, "select seq, index, reason, detail, site from quarantine")
    assert found == [(1, 1, "refused_by_database", "23514", "example.com")]
    assert sum(outcome.stored for outcome in outcomes) == 3
    pipe.put(first)
    assert rows(database, "select count(*) from quarantine") == [(1,)]


def _run(database: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement.encode())


def keyed(**fields: Any) -> Any:
    return envelope(key=KEY, ts="2026-06-10T11:00:00Z", **fields)


def test_the_least_keyed_request_stands_though_its_retry_was_stored_first(
    database: str, pipe: Pipe
) -> None:
    put_key(database, KEY)
    edge, same = FakeEdge(), client_id(1)
    [late] = pipe.put(edge.entry([keyed(id=same, title="retry")]))
    [early] = pipe.put(edge.entry([keyed(id=same, title="first", received_at=NOON - 1)]))
    [again] = pipe.put(edge.entry([keyed(id=same, title="third", received_at=NOON + 1)]))
    assert [one.stored for one in (late, early, again)] == [1, 1, 0]
    assert standing(database, "title, commit_in") == [("first", early.commit_no)]
    gone = rows(database, "select title, commit_out from events where commit_out is not null")
    assert gone == [("retry", early.commit_no)]


def test_a_keyed_request_and_a_browsers_with_one_id_are_one_event(
    database: str, pipe: Pipe
) -> None:
    put_key(database, KEY)
    edge, same = FakeEdge(), client_id(1)
    pipe.put(edge.entry([keyed(id=same, title="server")]))
    pipe.put(edge.entry([envelope(id=same, title="browser", received_at=NOON - 1)]))
    assert standing(database, "title") == [("browser",)]
    other = client_id(2)
    pipe.put(
        edge.entry([envelope(id=other, title="browser 2"), keyed(id=other, received_at=NOON + 1)])
    )
    assert standing(database, "title") == [("browser",), ("browser 2",)]


def test_one_keyed_id_with_two_times_is_one_event(database: str, pipe: Pipe) -> None:
    put_key(database, KEY)
    edge, same = FakeEdge(), client_id(1)
    for received_at, hour in ((2, 10), (1, 11), (0, 10), (3, 9)):
        time = f"2026-06-10T{hour:02}:00:00Z"
        beacon = envelope(key=KEY, id=same, ts=time, received_at=NOON + received_at)
        pipe.put(edge.entry([beacon]))
    assert standing(database, "extract(hour from ts)::int, received_at - ts < '2:00:01'") == [
        (10, True)
    ]
    assert rows(database, "select count(*) from events") == [(3,)]


def test_a_keyed_repetition_is_caught_after_its_client_id_is_forgotten(
    database: str, pipe: Pipe
) -> None:
    put_key(database, KEY)
    edge, same = FakeEdge(), client_id(1)
    pipe.put(edge.entry([keyed(id=same)]))
    _run(database, "delete from client_id")
    [again] = pipe.put(edge.entry([keyed(id=same, received_at=NOON + 1)]))
    assert (again.stored, again.duplicate) == (0, 1)
    assert len(standing(database)) == 1


def test_what_does_not_stand_is_written_down_with_what_it_shares(database: str, pipe: Pipe) -> None:
    edge, same = FakeEdge(), client_id(1)
    pipe.put(edge.entry([envelope(id=same), envelope(id=same), envelope()]))
    pipe.put(edge.entry([envelope(id=same, received_at=NOON - 1)]))
    found = rows(database, "select event_id, reason, client_id from left_out order by 1")
    ids = [UUID(int=receipt.counted(edge.boot, 1, nth)) for nth in (0, 1)]
    assert found == [(event_id, "duplicate", same) for event_id in ids]
    [(stands,)] = rows(database, "select event_id from client_id")
    assert stands == UUID(int=receipt.counted(edge.boot, 2, 0))
