"""The account of who fills the spool: bounded per site, given back by the drain, known again."""

import pytest

from edge.spool.shares import Shares

MIB = 1024 * 1024
BOUND = 256 * MIB


def account(boot: int = 1, bound: int = BOUND, known: frozenset[str] = frozenset("abc")) -> Shares:
    return Shares(boot, bound, known.__contains__)


def fill(shares: Shares, site: str, size: int, start: int = 1, step: int = MIB // 4) -> int:
    """Returns the number of the next entry."""
    for number in range(start, start + size // step):
        shares.took(b"%d-0" % number, step, {site: 1})
    return start + size // step


def written(*accounts: Shares) -> dict[bytes, bytes]:
    return {k: v for shares in accounts for k, v in shares.take_unwritten().items()}


def test_one_site_takes_half_and_the_others_go_on() -> None:
    shares = account()
    fill(shares, "a", BOUND // 2 - MIB)
    assert shares.may_take("a")
    fill(shares, "a", MIB, 1_000_000)
    assert not shares.may_take("a")
    assert shares.may_take("b")


def test_unknown_sites_take_a_tenth_together_whatever_their_names() -> None:
    shares = account()
    for number in range(120):
        shares.took(b"%d-0" % (number + 1), BOUND // 1_000, {f"made-up-{number}.example": 1})
    assert not shares.may_take("made-up-again.example")
    assert shares.may_take("a")


def test_a_batch_is_divided_by_the_raw_bytes_of_its_sites() -> None:
    shares = account()
    for number in range(1, 161):
        shares.took(b"%d-0" % number, MIB, {"a": 900, "b": 100})
    assert not shares.may_take("a")
    assert shares.may_take("b")


def test_what_the_drain_has_passed_is_given_back() -> None:
    shares = account()
    end = fill(shares, "a", BOUND // 2)
    assert not shares.may_take("a")
    shares.heard({}, (end // 2, 0), shares.last_taken)
    assert shares.may_take("a")


def test_an_empty_spool_gives_back_what_was_there_when_it_was_asked_and_no_more() -> None:
    shares = account()
    end = fill(shares, "a", BOUND // 4)
    asked_at = shares.last_taken
    fill(shares, "a", BOUND // 2, end)
    shares.heard({}, None, asked_at)
    assert not shares.may_take("a")
    shares.heard({}, None, shares.last_taken)
    assert shares.may_take("a")


def test_a_worker_that_starts_knows_what_earlier_ones_took() -> None:
    earlier, later = account(1), account(2)
    fill(earlier, "a", BOUND // 2)
    later.heard(written(earlier), (1, 0), later.last_taken)
    assert not later.may_take("a")
    assert later.may_take("b")


def test_workers_keep_the_bound_together() -> None:
    one, other = account(1), account(2)
    end = fill(one, "a", BOUND // 4 + MIB)
    fill(other, "a", BOUND // 4, end)
    assert one.may_take("a")
    assert other.may_take("a")
    raw = written(one, other)
    one.heard(raw, (1, 0), one.last_taken)
    other.heard(raw, (1, 0), other.last_taken)
    assert not one.may_take("a")
    assert not other.may_take("a")


def test_a_dead_workers_part_is_deleted_in_the_end_and_a_living_ones_left_to_itself() -> None:
    dead, living = account(1), account(2)
    end = fill(dead, "a", 4 * MIB)
    raw = written(dead)
    assert living.heard(raw, (end, 0), (0, 0)) == []
    gone: list[bytes] = []
    for _ in range(20):
        gone = living.heard(raw, (end, 0), (0, 0))
    assert set(gone) == set(raw)
    assert set(dead.heard(raw, (end, 0), dead.last_taken)) == set(raw)


def test_what_could_not_be_written_is_written_the_next_time() -> None:
    shares = account()
    fill(shares, "a", MIB)
    first = shares.take_unwritten()
    assert shares.take_unwritten() == {}
    shares.not_written(first)
    assert shares.take_unwritten() == first


def test_the_account_stays_small_however_many_sites_and_batches() -> None:
    names = [f"site-{n}.example" for n in range(2_000)]
    shares = account(known=frozenset(names))
    weights = dict.fromkeys(names, 1) | {names[0]: 4_000}
    for number in range(1, 1_025):
        shares.took(b"%d-0" % number, BOUND // 1_024, weights)
    packed = shares.take_unwritten()
    assert len(packed) <= 257
    assert sum(map(len, packed.values())) < 64 * 1024
    assert not shares.may_take(names[0])
    assert shares.may_take(names[1])


def test_bytes_that_cannot_be_read_count_as_nobodys() -> None:
    shares = account()
    assert shares.heard({b"000000000009:0": b"\xc1"}, (1, 0), (0, 0)) == []
    assert shares.may_take("a")


@pytest.mark.parametrize(("free", "room"), [(MIB, True), (0, False)])
def test_room_is_what_the_spool_said_last(free: int, room: bool) -> None:
    shares = account()
    assert shares.has_room
    shares.room_is(BOUND, free)
    assert shares.has_room is room


def test_room_shrinks_with_what_was_spooled_since_the_last_look() -> None:
    shares = account()
    shares.room_is(BOUND, MIB)
    fill(shares, "a", MIB)
    assert not shares.has_room
