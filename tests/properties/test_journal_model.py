"""The journal against a small model of spool, primary and database: whatever is lost between them,
in whatever order, all that was spooled is stored in the end, and nothing is let go of before."""

from collections.abc import Callable

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.journal.journal import EntryId, Flight, Journal
from shared.stored import StoredBoot

BOOT = 3
LOOK_S = 61.0


class JournalModel(RuleBasedStateMachine):
    """A batch is its number; the spool's entry n has the id (n, 0)."""

    def __init__(self) -> None:
        super().__init__()
        self.spool: list[int] = []
        self.primary: dict[bytes, int] = {}
        self.replica: dict[bytes, int] = {}
        self.database: set[int] = set()
        self.backup: set[int] = set()
        self.told: set[int] = set()
        self.given = 0
        self.now = 0.0
        self.journal = Journal()
        self.notes: tuple[EntryId, EntryId, set[int]] = ((0, 0), (0, 0), set())

    @rule()
    def spool_one(self) -> None:
        self.spool.append(len(self.spool) + 1)

    @rule()
    def step(self) -> None:
        recheck = self.journal.recheck
        if recheck is not None:
            page = [n for n in self.spool if recheck <= (n, 0) <= self.journal.sent][:2]
            for number in page:
                self.journal.put_checked((number, 0), (BOOT, number), self.now)
            if len(page) < 2:
                self.journal.end_recheck()
        for entry_id in self.journal.gone(2):
            self.journal.put_resent(entry_id, self._add(entry_id[0]), self.now)
        for number in [n for n in self.spool if (n, 0) > self.journal.sent][:2]:
            flight = Flight(BOOT, number, self._add(number), self.now + LOOK_S)
            self.journal.put_sent((number, 0), flight)

    @rule()
    def send_and_die_before_it_is_known(self) -> None:
        for number in [n for n in self.spool if (n, 0) > self.journal.sent][:1]:
            self._add(number)
        self.restart()

    @precondition(lambda self: self.primary)
    @rule()
    def store_one(self) -> None:
        entry_id, number = next(iter(self.primary.items()))
        self.database.add(number)
        del self.primary[entry_id]

    @rule()
    def tell(self) -> None:
        self.told = set(self.database)

    @rule()
    def look(self) -> None:
        self.now += 1.0
        for entry_id, flight in self.journal.due(self.now):
            is_there = self.primary.get(flight.primary_id or b"") == flight.seq
            self.journal.put_looked(entry_id, is_there=is_there, now=self.now)
        self._settle(self.told)
        self.notes = self.journal.sent, self.journal.held, set(self.told)

    @rule()
    def wait(self) -> None:
        self.now += LOOK_S

    @rule()
    def restart(self) -> None:
        sent, held, told = self.notes
        recheck = held if held <= sent else None
        self.journal = Journal(sent, recheck, stored(told))

    @rule()
    def back_up(self) -> None:
        self.backup, self.replica = set(self.database), dict(self.primary)

    @rule()
    def restore(self) -> None:
        self.database &= self.backup

    @rule()
    def promote(self) -> None:
        self.primary = dict(self.replica)
        self.journal.doubt()

    @rule()
    def lose_primary(self) -> None:
        self.primary = {}
        self.journal.doubt()

    @invariant()
    def nothing_is_let_go_of_that_the_database_was_not_told_to_have(self) -> None:
        before = {n for n in self.spool if (n, 0) < self.journal.held}
        assert before <= self.settled

    def teardown(self) -> None:
        self._until(lambda: set(self.spool) <= self.database)
        self._until(lambda: all((n, 0) < self.journal.held for n in self.spool))

    @property
    def settled(self) -> set[int]:
        ranges = self.journal._stored.get(BOOT, StoredBoot()).ranges
        return {n for first, last in ranges for n in range(first, last + 1)}

    def _until(self, done: Callable[[], bool]) -> None:
        for _ in range(len(self.spool) * 8 + 80):
            if done():
                return
            self.step()
            while self.primary:
                self.store_one()
            self.tell()
            self.look()
            self.wait()
        raise AssertionError(f"not done: {self.database} of {self.spool}")

    def _settle(self, told: set[int]) -> None:
        self.journal.settle(stored(told))

    def _add(self, number: int) -> bytes:
        self.given += 1
        entry_id = b"%d" % self.given
        self.primary[entry_id] = number
        return entry_id


def stored(numbers: set[int]) -> dict[int, StoredBoot]:
    """One range a number: apart enough."""
    return {BOOT: StoredBoot(tuple((n, n) for n in sorted(numbers)))}


TestJournalModel = JournalModel.TestCase
TestJournalModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
