"""The account of shares against the spool itself, through any order of writes and deaths."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from edge.spool.shares import Shares

BOUND = 1 << 20
MOST = 1 << 15
SITES = ("a", "b", "c")
WORKERS = 3
SLACK = BOUND // 64 + WORKERS * (BOUND // 256 + MOST)
"""Small parts are left out, and a segment of each worker is given back late."""

takes = st.tuples(
    st.just("take"), st.integers(0, WORKERS - 1), st.sampled_from(SITES), st.integers(1, MOST)
)
drains = st.tuples(st.just("drain"), st.integers(1, 20), st.just(""), st.just(0))
deaths = st.tuples(st.just("die"), st.integers(0, WORKERS - 1), st.just(""), st.just(0))
looks = st.tuples(st.just("look"), st.just(0), st.just(""), st.just(0))


class Spool:
    """Entries in order, and the hash beside them."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, str, int]] = []
        self.book: dict[bytes, bytes] = {}
        self.next_id = 1
        self.boots = 0
        self.workers = [self._start() for _ in range(WORKERS)]

    def take(self, worker: int, site: str, size: int) -> None:
        self.entries.append((self.next_id, site, size))
        self.workers[worker].took(b"%d-0" % self.next_id, size, {site: 1})
        self.next_id += 1

    def drain(self, count: int) -> None:
        del self.entries[:count]

    def die(self, worker: int) -> None:
        """Having looked once more, as a worker has that ends within a second of its last write."""
        self.look()
        self.workers[worker] = self._start()

    def look(self) -> None:
        for worker in self.workers:
            self.book |= worker.take_unwritten()
        for worker in self.workers:
            first = (self.entries[0][0], 0) if self.entries else None
            for field in worker.heard(dict(self.book), first, worker.last_taken):
                self.book.pop(field, None)

    def truth(self) -> Counter[str]:
        sums: Counter[str] = Counter()
        for _, site, size in self.entries:
            sums[site] += size
        return sums

    def _start(self) -> Shares:
        self.boots += 1
        return Shares(self.boots, BOUND, lambda site: site in SITES)


@given(st.lists(st.one_of(takes, takes, takes, takes, drains, deaths, looks), max_size=150))
def test_no_worker_is_far_from_what_lies_in_the_spool(
    steps: list[tuple[str, int, str, int]],
) -> None:
    spool = Spool()
    for what, number, site, size in steps:
        if what == "take":
            spool.take(number, site, size)
        elif what == "drain":
            spool.drain(number)
        elif what == "die":
            spool.die(number)
        else:
            spool.look()
    spool.look()
    truth = spool.truth()
    for worker in spool.workers:
        for site in SITES:
            if truth[site] >= BOUND // 2 + SLACK:
                assert not worker.may_take(site)
            if truth[site] <= BOUND // 2 - SLACK:
                assert worker.may_take(site)


@given(st.lists(takes, min_size=1, max_size=100))
def test_an_empty_spool_leaves_no_account(steps: list[tuple[str, int, str, int]]) -> None:
    spool = Spool()
    for _, number, site, size in steps:
        spool.take(number, site, size)
    spool.die(0)
    spool.drain(len(spool.entries))
    for _ in range(15):
        spool.look()
    assert spool.book == {}
    assert all(worker.may_take(site) for worker in spool.workers for site in SITES)
