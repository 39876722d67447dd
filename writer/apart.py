"""Entries that were handed out too often are prepared in a process of their own.

Whatever killed a writer before its commit is handed out again, to kill the next one. After three
times an entry is under suspicion: a child process prepares it, alone, within limits of its own, and
if the child dies of it or hangs, the entry is set aside whole.
"""

import logging
import multiprocessing
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Protocol

from writer.database.connection import Unavailable
from writer.prepare import Entry, Preparer
from writer.quarantine.keeping import Damaged
from writer.store import Read

log = logging.getLogger("writer")

MAX_DELIVERIES = 3
POISON = "poison"
CPU_S = 30.0
"""No read of sound entries takes a hundredth of it."""
_ANSWER_S = 120.0
_START_S = 120.0
_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
_READY = "ready"

MakePreparer = Callable[[], Preparer]
"""Goes to the child: a function of a module, or a partial of one."""


class Preparing(Protocol):
    """Makes entries ready to be stored."""

    def prepare(self, entries: Sequence[Entry]) -> Read:
        """Raises Unavailable."""

    def close(self) -> None:
        """Give back what it holds."""


class Apart:
    """A child process, started at the first entry. Not for two threads at once."""

    def __init__(self, make: MakePreparer, cpu_s: float = CPU_S, answer_s: float = _ANSWER_S):
        self._make = make
        self._cpu_s = cpu_s
        self._answer_s = answer_s
        self._child: tuple[SpawnProcess, Connection] | None = None

    def prepare(self, entry: Entry) -> Read:
        """One entry, which is set aside if the child does not come back. Raises Unavailable."""
        answer = self._ask(entry)
        if answer is None:
            self.close()
            # What ends this child too, such as a database that is away, is no entry's fault.
            self._connected()
            log.error("an entry of edge %r ended its process or hung: set aside", entry.edge)
            return Read([], [Damaged(entry.edge, entry.fields, POISON, "")])
        if isinstance(answer, str):
            raise Unavailable(answer)
        return answer

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            process, connection = self._child
            self._child = None
            connection.close()
            process.kill()
            process.join()

    def _ask(self, entry: Entry) -> Read | str | None:
        """What the child answers: a read, why it must wait, or nothing."""
        connection = self._connected()
        try:
            connection.send(entry)
            if not connection.poll(self._answer_s):
                return None
            answer: Read | str = connection.recv()
        except (EOFError, OSError):
            return None
        return answer

    def _connected(self) -> Connection:
        """Raises Unavailable where no child can be started."""
        if self._child is None:
            spawn = multiprocessing.get_context("spawn")
            mine, its = spawn.Pipe()
            process = spawn.Process(
                target=_work, args=(its, self._make, self._cpu_s), daemon=True, name="apart"
            )
            process.start()
            its.close()
            self._child = process, mine
            self._wait_until_ready(mine)
        return self._child[1]

    def _wait_until_ready(self, connection: Connection) -> None:
        try:
            if connection.poll(_START_S) and connection.recv() == _READY:
                return
        except (EOFError, OSError):
            log.warning("the process for entries under suspicion does not start")
        self.close()
        raise Unavailable("the process for entries under suspicion does not start")


class Careful:
    """Prepares what is handed out for the first times here, and the rest apart.

    ``cpu_s``: a read that takes more is taken for hung, and the process ends at once, so that its
    entries are handed out again; None: never, for whoever is not a process of its own.
    """

    def __init__(self, preparer: Preparing, apart: Apart, cpu_s: float | None = None) -> None:
        self._preparer = preparer
        self._apart = apart
        self.cpu_s = cpu_s

    def prepare(self, entries: Sequence[Entry]) -> Read:
        """Raises Unavailable."""
        usual = [entry for entry in entries if entry.deliveries <= MAX_DELIVERIES]
        with _bounded(self.cpu_s):
            read = self._preparer.prepare(usual)
        if len(usual) == len(entries):
            return read
        suspects = [entry for entry in entries if entry.deliveries > MAX_DELIVERIES]
        reads = [read, *map(self._apart.prepare, suspects)]
        batches = {batch.number: batch for one in reversed(reads) for batch in one.batches}
        damaged = [entry for one in reads for entry in one.damaged]
        repeated = len(entries) - len(batches) - len(damaged)
        return Read(list(batches.values()), damaged, repeated)

    def close(self) -> None:
        """Give back what it holds."""
        self._apart.close()
        self._preparer.close()


def _work(connection: Connection, make: MakePreparer, cpu_s: float) -> None:
    """The child: says that it is ready once it has what every entry needs, then answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    preparer = make()
    preparer.prepare([])
    connection.send(_READY)
    while True:
        try:
            entry: Entry = connection.recv()
        except EOFError:
            return
        connection.send(_answer(preparer, entry, cpu_s))


def _answer(preparer: Preparer, entry: Entry, cpu_s: float) -> Read | str:
    try:
        with _bounded(cpu_s):
            return preparer.prepare([entry])
    except Unavailable as trouble:
        return str(trouble)


@contextmanager
def _bounded(cpu_s: float | None) -> Iterator[None]:
    """End the process after so much of its CPU time: by the kernel, because an endless regular
    expression never gives the interpreter back. Waiting for the database costs none."""
    if cpu_s is None:
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
