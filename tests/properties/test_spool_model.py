"""Router, boot and ledger against a small model, through any order of crash, drain and damage.

The pure parts are the product's own: the numbers of a boot, the router with its breaker, the last
word about a dead boot. Primary and spool are lists whose replies can get lost, and the writer is
the rule of its ledger: a number is stored once.
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from edge.batches.boot import Boot
from edge.batches.boot_file import BootRecord, Place
from edge.batches.closing import final_beat
from edge.batches.runs import Run
from edge.failover.breaker import Breaker
from edge.failover.router import NoPlace, Router, Where
from edge.servers.lane import Lane
from edge.servers.link import LinkLost
from shared.heartbeat import BootBeat

Number = tuple[int, int]
"""(boot, seq)."""
FATES = ("takes", "refuses", "loses the reply")


@dataclass
class Server:
    """A Redis stream: entries in order, and what becomes of the next write."""

    entries: list[tuple[bytes, Number]] = field(default_factory=list)
    fate: str = "takes"
    next_id: int = 1
    is_up: bool = True

    async def write(self, command: bytes) -> bytes:
        """As Lane does it; the command is the number in plain text."""
        if self.fate == "refuses":
            raise LinkLost
        boot, seq = command.split(b" ")
        entry_id = b"%d-0" % self.next_id
        self.next_id += 1
        self.entries.append((entry_id, (int(boot), int(seq))))
        if self.fate == "loses the reply":
            raise TimeoutError
        return entry_id

    def abandon(self) -> None:
        """Nothing is kept open."""


class SpoolModel(RuleBasedStateMachine):
    """``acked``: numbers that a client was answered with a 202. ``stored``: the ledger."""

    def __init__(self) -> None:
        super().__init__()
        self.primary, self.spool = Server(), Server()
        self.acked: set[Number] = set()
        self.sent: set[Number] = set()
        self.stored: list[Number] = []
        self.damaged: set[Number] = set()
        self.noticed: set[Number] = set()
        self.beats: dict[int, BootBeat] = {}
        self.dead: dict[int, BootRecord] = {}
        self.boots = 0
        self._start_worker()

    def _start_worker(self) -> None:
        self.boots += 1
        self.boot = Boot(self.boots)
        self.router = Router(
            cast(Lane, self.primary), cast(Lane, self.spool), Breaker(time.monotonic_ns)
        )

    # --- the edge ------------------------------------------------------------------------------

    @rule(primary=st.sampled_from(FATES), spool=st.sampled_from(FATES))
    def append(self, primary: str, spool: str) -> None:
        """A batch is sent, and each server treats it in its way."""
        self.primary.fate, self.spool.fate = primary, spool
        told = len(self.boot.untold_voids)
        seq = self.boot.next_seq()
        number = (self.boot.id, seq)
        assert number not in self.sent, "a number is never used again"
        self._send(number)
        try:
            stored = asyncio.run(self.router.store(b"%d %d" % number))
        except NoPlace:
            self.boot.gave_up(seq)
            return
        if stored.where is Where.PRIMARY:
            self.boot.at_primary(seq, told)
        else:
            self.boot.at_spool(seq, stored.entry_id, seq, told)
        self.acked.add(number)

    @rule()
    @precondition(lambda self: self.router.breaker.is_open)
    def prove_primary(self) -> None:
        """The drain's probe has succeeded."""
        self.router.breaker.close()

    @rule()
    def beat(self) -> None:
        """The worker looks at the spool, and says how far it is."""
        first = self.spool.entries[0][0] if self.spool.entries else None
        self.boot.drained_before(first, self.boot.newest_spooled)
        self.beats[self.boot.id] = self._beat_of(self.boot)

    @rule(primary=st.sampled_from(FATES), spool=st.sampled_from(FATES))
    def crash(self, primary: str, spool: str) -> None:
        """SIGKILL with a batch under way, which lands or not; nobody hears of it."""
        self.primary.fate, self.spool.fate = primary, spool
        number = (self.boot.id, self.boot.next_seq())
        self._send(number)
        with suppress(NoPlace):
            asyncio.run(self.router.store(b"%d %d" % number))
        voids = self.boot.voids
        self.dead[self.boot.id] = BootRecord(
            self.boot.id, 0, self.boot.last_acked, Place.PRIMARY, 0, voids
        )
        self._start_worker()

    def _send(self, number: Number) -> None:
        self.sent.add(number)

    # --- the drain -----------------------------------------------------------------------------

    @rule(count=st.integers(1, 3), crashes=st.booleans())
    def drain(self, count: int, crashes: bool) -> None:
        """Moved in order; after a crash before the deletion the same entries are moved again."""
        moved = self.spool.entries[:count]
        self.primary.fate = "takes"
        for _, number in moved:
            asyncio.run(self.primary.write(b"%d %d" % number))
        if not crashes:
            del self.spool.entries[: len(moved)]

    @rule()
    @precondition(lambda self: not self.spool.entries)
    def close_dead_boots(self) -> None:
        """Once the spool holds nothing of them."""
        for boot, record in self.dead.items():
            self.beats[boot] = final_beat(record, self.beats.get(boot), 0)
        self.dead.clear()

    # --- the writer ----------------------------------------------------------------------------

    @rule(count=st.integers(1, 4), acks=st.booleans())
    def store(self, count: int, acks: bool) -> None:
        """One transaction; without the acknowledgement the same entries are read again."""
        read = self.primary.entries[:count]
        for _, number in read:
            if number in self.damaged:
                self.noticed.add(number)
            elif number not in self.stored:
                self.stored.append(number)
        if acks:
            del self.primary.entries[: len(read)]

    @rule(data=st.data())
    @precondition(lambda self: self.spool.entries)
    def corrupt(self, data: st.DataObject) -> None:
        """A flipped byte in the spool: the box of that batch does not open any more."""
        _, number = data.draw(st.sampled_from(self.spool.entries))
        self.damaged.add(number)

    # --- what always holds ---------------------------------------------------------------------

    @invariant()
    def nothing_acknowledged_is_lost(self) -> None:
        """It is stored, on its way, or noticed as damaged."""
        held = {number for _, number in self.primary.entries + self.spool.entries}
        assert self.acked <= {*self.stored, *held, *self.noticed}

    @invariant()
    def nothing_is_stored_twice_or_invented(self) -> None:
        """A number at most once, and none that was never sent."""
        assert len(self.stored) == len(set(self.stored))
        assert set(self.stored) <= self.sent

    @invariant()
    def below_low_nothing_is_held_back(self) -> None:
        """What a boot says to have handed over is not in its spool any more, but for what was
        never acknowledged."""
        for _, (boot, seq) in self.spool.entries:
            beat = self.beats.get(boot)
            if beat is not None and seq <= beat.low and (boot, seq) in self.acked:
                raise AssertionError(f"boot {boot} says low {beat.low} and holds {seq}")

    @invariant()
    def a_hole_at_or_below_low_is_void_or_a_loss_that_is_known(self) -> None:
        """Completeness: the numbers up to low are at the primary, stored, void or damaged. Void is
        what the heartbeat says: what a batch names may be damaged with it."""
        here = {*self.stored, *self.noticed, *(number for _, number in self.primary.entries)}
        for boot, beat in self.beats.items():
            owed = {(boot, seq) for seq in range(1, beat.low + 1)} - here
            assert not {seq for _, seq in owed} - _numbers(beat.void), (boot, beat)

    @staticmethod
    def _beat_of(boot: Boot) -> BootBeat:
        return BootBeat(at=0, low=boot.low, low_time=0, last_acked=boot.last_acked, void=boot.voids)


def _numbers(runs: Iterable[Run]) -> set[int]:
    return {number for first, last in runs for number in range(first, last + 1)}


def test_router_spool_and_ledger_agree_with_the_model() -> None:
    many = settings(max_examples=150, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(SpoolModel, settings=many)
