"""What was set aside comes back once: after a fix, past the ledger, whatever dies meanwhile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest

from shared import receipt
from shared.envelope import Envelope
from shared.keys import new_seal_key, read_private_keys
from tests.writer_world import (
    SEAL_KEY,
    FakeEdge,
    Pipe,
    client_id,
    envelope,
    put_site,
    rows,
    standing,
)
from writer.ledger.fold import read_asides
from writer.prepare import Entry
from writer.quarantine.held import discard, find_held, read_groups, read_held
from writer.quarantine.replay import Became, Event, Replay

NEW = "new.example"


REFUSE = (
    "create function refuse() returns trigger language plpgsql as $$ begin"
    " if new.title = 'odd' then raise exception using errcode = '22023'; end if;"
    " return new; end $$",
    "create trigger refuse before insert on events for each row execute function refuse()",
)


def do(database: str, *statements: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


class Desk:
    """An operator's own preparer, store and connection."""

    def __init__(self, database: str, seal_keys: str = SEAL_KEY) -> None:
        self.pipe = Pipe(database)
        self.connection = psycopg.connect(database, autocommit=True)
        keys = read_private_keys(seal_keys)
        self.replay = Replay(self.connection, keys, self.pipe.preparer, self.pipe.store)

    def replay_all(self) -> list[Became]:
        ids = find_held(self.connection, None)
        return [self.replay.replay(quarantine_id).became for quarantine_id in ids]

    def close(self) -> None:
        self.pipe.close()
        self.connection.close()


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    put_site(database)
    made = Desk(database)
    yield made
    made.close()


def test_an_event_is_replayed_after_its_site_was_added_and_keeps_its_receipt(
    database: str, desk: Desk
) -> None:
    edge = FakeEdge()
    desk.pipe.put(edge.entry([envelope(), envelope(site=NEW, title="kept"), envelope()]))
    put_site(database, NEW)
    assert desk.replay_all() == [Became.STORED]
    found = standing(database, "event_id, title")
    assert (UUID(int=receipt.counted(edge.boot, 1, 1)), "kept") in found
    assert len(found) == 3
    assert rows(database, "select state, sealed from quarantine") == [("replayed", b"")]


def test_a_second_replay_adds_nothing(database: str, desk: Desk) -> None:
    desk.pipe.put(FakeEdge().entry([envelope(site=NEW)]))
    put_site(database, NEW)
    [held] = find_held(desk.connection, None)
    assert desk.replay.replay(held).became is Became.STORED
    assert desk.replay.replay(held).became is Became.CLOSED
    assert len(standing(database)) == 1


def test_what_is_still_unfit_stays_held_with_the_reason_of_now(database: str, desk: Desk) -> None:
    desk.pipe.put(FakeEdge().entry([envelope(site=NEW, body=b'{"site": "new.example"}')]))
    assert desk.replay_all() == [Became.HELD]
    put_site(database, NEW)
    assert desk.replay_all() == [Became.HELD]
    [(reason, state)] = rows(database, "select reason, state from quarantine")
    assert (reason, state) != ("unknown_site", "held")
    assert state == "held"
    assert standing(database) == []


def test_an_event_behind_many_neighbours_keeps_its_place(database: str, desk: Desk) -> None:
    edge = FakeEdge()
    neighbours = [envelope(title=str(n)) for n in range(250)]
    desk.pipe.put(edge.entry([*neighbours, envelope(site=NEW)]))
    put_site(database, NEW)
    assert desk.replay_all() == [Became.STORED]
    [(event_id,)] = rows(database, "select event_id from events where hostname = %s", NEW)
    assert event_id == UUID(int=receipt.counted(edge.boot, 1, 250))
    assert len(standing(database)) == 251


def test_a_replayed_event_obeys_the_client_id_rule(database: str, desk: Desk) -> None:
    edge, same = FakeEdge(), client_id(1)
    early = envelope(site=NEW, id=same, title="early", received_at=desk.pipe.now - 1)
    desk.pipe.put(edge.entry([early]))
    put_site(database, NEW)
    desk.pipe.put(edge.entry([envelope(site=NEW, id=same, title="late")]))
    assert desk.replay_all() == [Became.STORED]
    assert standing(database, "title") == [("early",)]


def test_a_whole_entry_is_replayed_with_the_key_it_was_sealed_to(database: str, desk: Desk) -> None:
    lost_key = new_seal_key()
    edge = FakeEdge(seal_key=lost_key)
    desk.pipe.put(edge.entry([envelope(), envelope()]))
    assert desk.replay_all() == [Became.HELD]
    desk.pipe.preparer.close()
    found = Desk(database, f"{SEAL_KEY} {lost_key}")
    found.pipe.preparer._private_keys = read_private_keys(f"{SEAL_KEY} {lost_key}")
    assert found.replay_all() == [Became.STORED]
    found.close()
    assert len(standing(database)) == 2
    assert rows(database, "select seq, n from batch") == [(1, 2)]


def test_a_whole_entry_whose_batch_arrived_sound_adds_nothing(database: str, desk: Desk) -> None:
    edge = FakeEdge()
    sound = edge.entry([envelope()])
    # The same batch under another edge's name is damaged; sound again in its own stream.
    desk.pipe.put(Entry("e2", sound.entry_id, sound.fields))
    desk.pipe.put(sound)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("update quarantine set edge = 'e1'")
    assert desk.replay_all() == [Became.KNOWN]
    assert len(standing(database)) == 1


def test_two_replays_at_once_store_it_once(database: str, desk: Desk) -> None:
    events = [envelope(site=NEW, title=str(n)) for n in range(20)]
    desk.pipe.put(FakeEdge().entry(events))
    put_site(database, NEW)
    other = Desk(database)
    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(Desk.replay_all, [desk, other]))
    other.close()
    became = [one for each in done for one in each]
    assert became.count(Became.STORED) == 20
    assert set(became) <= {Became.STORED, Became.CLOSED}
    assert len(standing(database)) == 20


def test_a_replay_that_dies_before_its_commit_leaves_the_event_held(
    database: str, desk: Desk
) -> None:
    desk.pipe.put(FakeEdge().entry([envelope(site=NEW)]))
    put_site(database, NEW)
    store = desk.pipe.store
    finish = store._finish

    def die(*args: object, **kwargs: object) -> None:
        finish(*args, **kwargs)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    store._finish = die  # type: ignore[method-assign,assignment]
    with pytest.raises(KeyboardInterrupt):
        desk.replay_all()
    assert standing(database) == []
    assert rows(database, "select state from quarantine") == [("held",)]
    del store._finish
    assert desk.replay_all() == [Became.STORED]
    assert len(standing(database)) == 1


def test_what_is_discarded_is_let_go_of_for_good(database: str, desk: Desk) -> None:
    desk.pipe.put(FakeEdge().entry([envelope(site=NEW), envelope(site=NEW)]))
    first, second = find_held(desk.connection, "unknown_site")
    assert discard(desk.connection, [first, first]) == 1
    put_site(database, NEW)
    assert desk.replay.replay(first).became is Became.CLOSED
    closed = read_held(desk.connection, first)
    assert closed is not None
    assert (closed.state, closed.sealed) == ("discarded", b"")
    [group] = read_groups(desk.connection)
    assert (group.reason, group.site, group.events, group.first_id) == (
        "unknown_site",
        NEW,
        1,
        second,
    )


def test_a_whole_entry_that_is_discarded_is_no_loss(database: str, desk: Desk) -> None:
    edge = FakeEdge(seal_key=new_seal_key())
    entry = edge.entry([envelope()])
    desk.pipe.put(entry)
    assert discard(desk.connection, find_held(desk.connection, None)) == 1
    [header] = read_asides(desk.connection, "e1")
    assert (header.boot, header.seq, header.n) == (edge.boot, 1, 1)
    [(sealed,)] = rows(database, "select sealed from quarantine")
    assert entry.fields[b"body"] not in sealed


def test_the_counts_follow_what_was_set_aside(database: str, desk: Desk) -> None:
    desk.pipe.put(FakeEdge().entry([envelope(site=NEW) for _ in range(3)]))
    put_site(database, NEW)
    first, *_ = find_held(desk.connection, None)
    discard(desk.connection, [first])
    desk.replay_all()
    counts = "select outcome, sum(events)::int from ledger_count where events <> 0 group by 1"
    assert dict(rows(database, counts)) == {"stored": 2, "dropped:discarded": 1}


def test_what_the_database_still_refuses_stays_held_and_is_in_no_others_way(
    database: str, desk: Desk
) -> None:
    events = [envelope(site=NEW, title=title) for title in ("a", "odd", "b")]
    desk.pipe.put(FakeEdge().entry(events))
    put_site(database, NEW)
    do(database, *REFUSE)
    assert desk.replay_all() == [Became.STORED, Became.HELD, Became.STORED]
    held = "select reason, detail from quarantine where state = 'held'"
    assert rows(database, held) == [("refused_by_database", "22023")]
    assert standing(database, "title") == [("a",), ("b",)]
    do(database, "drop trigger refuse on events")
    assert desk.replay_all() == [Became.STORED]
    assert len(standing(database)) == 3


def test_of_a_whole_entry_the_sound_events_get_in_and_the_refused_one_is_held_alone(
    database: str, desk: Desk
) -> None:
    found = put_back_lost_key(
        database, desk, [envelope(title=title) for title in ("a", "odd", "b")]
    )
    do(database, *REFUSE)
    [whole] = find_held(found.connection, None)
    done = found.replay.replay(whole)
    assert done.events == {
        Event(Became.STORED): 2,
        Event(Became.HELD_AGAIN, "refused_by_database"): 1,
    }
    assert sorted(standing(database, "title")) == [("a",), ("b",)]
    held = "select index, reason, detail from quarantine where state = 'held'"
    assert rows(database, held) == [(1, "refused_by_database", "22023")]
    counts = "select outcome, sum(events)::int from ledger_count where events <> 0 group by 1"
    assert dict(rows(database, counts)) == {"stored": 2, "quarantined": 1}
    do(database, "drop trigger refuse on events")
    assert found.replay_all() == [Became.STORED]
    assert len(standing(database)) == 3
    found.close()


def test_an_entry_whose_number_the_database_refuses_stays_held_whole(
    database: str, desk: Desk
) -> None:
    found = put_back_lost_key(database, desk, [envelope()])
    do(database, REFUSE[0].replace("new.title = 'odd'", "true"))
    do(database, "create trigger t before insert on batch for each row execute function refuse()")
    assert found.replay_all() == [Became.HELD]
    held = "select index, reason, detail from quarantine where state = 'held'"
    assert rows(database, held) == [(None, "refused_by_database", "22023")]
    found.close()


def test_an_entry_whose_events_are_all_held_again_is_not_called_stored(
    database: str, desk: Desk
) -> None:
    found = put_back_lost_key(database, desk, [envelope(site=NEW)] * 3)
    [whole] = find_held(found.connection, None)
    done = found.replay.replay(whole)
    assert done.became is Became.HELD_AGAIN
    assert done.events == {Event(Became.HELD_AGAIN, "unknown_site"): 3}
    assert standing(database) == []
    found.close()


def test_an_entry_of_several_fates_tells_each(database: str, desk: Desk) -> None:
    same = client_id(1)
    desk.pipe.put(FakeEdge().entry([envelope(id=same)]))
    old = envelope(received_at=desk.pipe.now - 1_200 * 86_400_000_000)
    late = envelope(id=same, received_at=desk.pipe.now + 1)
    found = put_back_lost_key(database, desk, [envelope(), late, envelope(site=NEW), old])
    [whole] = find_held(found.connection, None)
    assert found.replay.replay(whole).events == {
        Event(Became.STORED): 1,
        Event(Became.DUPLICATE): 1,
        Event(Became.DROPPED, "retention"): 1,
        Event(Became.HELD_AGAIN, "unknown_site"): 1,
    }
    found.close()


def put_back_lost_key(database: str, desk: Desk, events: list[Envelope]) -> Desk:
    """An entry is held whole, since nobody can open it; whoever works at the new desk can."""
    lost_key = new_seal_key()
    desk.pipe.put(FakeEdge(seal_key=lost_key).entry(events))
    both = f"{SEAL_KEY} {lost_key}"
    found = Desk(database, both)
    found.pipe.preparer._private_keys = read_private_keys(both)
    return found
