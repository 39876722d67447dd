"""The journal's decisions: what the database has, what is looked for, what is sent again."""

from edge.journal.journal import FIRST, MOST_IN_FLIGHT, Flight, Journal, after, went_back
from shared.stored import StoredBoot

BOOT = 7


def stored(*ranges: tuple[int, int], boot: int = BOOT) -> dict[int, StoredBoot]:
    return {boot: StoredBoot(ranges)}


def entry(seq: int) -> tuple[int, int]:
    return 1_000 + seq, 0


def sent(*numbers: int) -> Journal:
    """A journal that has just sent these."""
    journal = Journal()
    for seq in numbers:
        journal.put_sent(entry(seq), Flight(BOOT, seq, b"%d-0" % seq, look_at=60.0))
    return journal


def miss(journal: Journal, *numbers: int, now: float = 61.0) -> None:
    for entry_id, flight in journal.due(now):
        journal.put_looked(entry_id, is_there=flight.seq not in numbers, now=now)


def test_nothing_is_held_but_what_the_database_does_not_have() -> None:
    journal = sent(1, 2, 3)
    assert journal.held == entry(1)
    journal.settle(stored((1, 1), (3, 3)))
    assert journal.held == entry(2)
    journal.settle(stored((1, 3)))
    assert journal.held == after(entry(3))


def test_a_batch_that_waits_at_the_primary_is_not_sent_again() -> None:
    journal = sent(1, 2)
    miss(journal)
    for _ in range(5):
        journal.settle({})
    assert journal.gone(10) == []
    assert journal.due(100.0) == []


def test_a_batch_in_neither_place_is_sent_again_once_the_database_was_read_twice() -> None:
    journal = sent(1, 2)
    miss(journal, 1, 2)
    journal.settle(stored((2, 2)))
    assert journal.gone(10) == []
    journal.settle(stored((2, 2)))
    assert journal.gone(10) == [entry(1)]


def test_while_nobody_reads_the_database_nothing_is_sent_again() -> None:
    journal = sent(1)
    miss(journal, 1)
    assert journal.gone(10) == []


def test_what_is_sent_in_vain_is_sent_ever_more_seldom() -> None:
    journal = sent(1)
    now, waits = 61.0, []
    for _ in range(8):
        miss(journal, 1, now=now)
        journal.settle({})
        journal.settle({})
        assert journal.gone(10) == [entry(1)]
        journal.put_resent(entry(1), b"9-9", now)
        assert journal.gone(10) == []
        [again] = [flight.look_at for _, flight in journal.due(float("inf"))]
        waits.append(again - now)
        now = again
    assert waits == [60, 120, 240, 480, 960, 1_920, 3_600, 3_600]


def test_after_doubt_everything_is_looked_for_at_once() -> None:
    journal = sent(1, 2)
    assert journal.due(1.0) == []
    journal.doubt()
    assert [entry_id for entry_id, _ in journal.due(1.0)] == [entry(1), entry(2)]


def test_what_an_older_database_lacks_is_sent_at_once() -> None:
    journal = sent(1, 2, 3)
    journal.settle(stored((1, 3)))
    journal.settle(stored((1, 1)))
    assert journal.held == FIRST
    for seq in (1, 2, 3):
        journal.put_checked(entry(seq), (BOOT, seq), now=5.0)
    journal.end_recheck()
    assert journal.gone(10) == [entry(2), entry(3)]
    assert journal.held == entry(2)


def test_after_a_restart_what_was_in_flight_is_given_time_to_arrive() -> None:
    journal = Journal(entry(3), recheck=entry(2), stored=stored((1, 1)))
    assert journal.held == entry(2)
    for seq in (2, 3):
        journal.put_checked(entry(seq), (BOOT, seq), now=5.0)
    journal.end_recheck()
    assert (journal.held, journal.gone(10), journal.due(64.0)) == (entry(2), [], [])
    assert len(journal.due(65.0)) == 2


def test_a_boot_that_is_told_no_more_or_has_a_new_hole_is_an_older_database() -> None:
    assert not went_back(stored((1, 5)), stored((1, 9)))
    assert not went_back({}, stored((1, 9)))
    assert went_back(stored((1, 5)), stored((1, 3), (5, 9)))
    assert went_back(stored((1, 5)), stored((1, 9), boot=8))


def test_a_boot_that_ended_and_is_told_no_more_is_over_once_its_last_word_has_gone() -> None:
    ended = {7: StoredBoot(((1, 5),), ended=True)}
    assert went_back(ended, {}, kept_words={7})
    assert went_back(ended, stored((1, 3)))
    assert not went_back(ended, {})
    journal = sent(1, 2)
    journal.settle({**ended, 8: StoredBoot(((1, 1),))})
    journal.settle(stored((1, 1), boot=8))
    assert (journal.recheck, journal.held) == (None, after(entry(2)))


def test_no_more_is_sent_than_can_be_known_one_by_one() -> None:
    journal = sent(*range(1, MOST_IN_FLIGHT + 1))
    assert not journal.has_room
    journal.settle(stored((1, 1)))
    assert journal.has_room


def test_an_entry_without_a_readable_number_is_sent_once_and_not_waited_for() -> None:
    journal = Journal()
    journal.put_sent(entry(1), None)
    assert (journal.in_flight, journal.held) == (0, after(entry(1)))


def test_a_spool_that_lost_its_end_is_followed_from_there() -> None:
    journal = sent(1, 2, 3)
    journal.start_over(entry(1))
    assert journal.sent == entry(1)
    assert journal.held == FIRST
