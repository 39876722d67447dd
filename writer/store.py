"""One transaction a read: all of it is stored, or nothing is.

What is stored already is known by its batch's number, an event by its client id or, where the
event id is derived from that, by the unique index itself.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg import Cursor

from shared.clock import Clock, system_clock
from shared.metrics import WRITER_DATABASE_TROUBLES
from writer.client_ids import Loser, claim
from writer.database.arrays import register
from writer.database.connection import (
    ANSWER_WITHIN_S,
    COLLISION,
    LONGEST_S,
    NO_ANSWER,
    DataRefused,
    Unavailable,
    Watched,
    connect,
    is_collision,
    translate,
)
from writer.database.promises import Promises
from writer.decode import Unfit
from writer.draft import SetAside
from writer.encode import COLUMNS, Row, payload
from writer.enrich.pipeline import Left
from writer.known.zones import as_date, moment, us
from writer.ledger.counts import Decided, count_read, put_counts
from writer.ledger.voids import put_voids
from writer.left_out import put_left_out
from writer.past_days import Parted, part_days, part_rows
from writer.quarantine.held import REPLAYED, close
from writer.quarantine.keeping import Damaged, Quarantine

log = logging.getLogger("writer")

REFUSED = "refused_by_database"
_TRIES = 5

_PUT_BATCH = """
SELECT * FROM put_batches(%s, %s::text[], %s::int8[], %s::int8[], %s::int4[])
"""
_MAKE_INCOMING = "CREATE TEMP TABLE IF NOT EXISTS incoming (LIKE events) ON COMMIT DELETE ROWS"
_COPY_EVENTS = f"COPY events ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"
_COPY_INCOMING = f"COPY incoming ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"
_PUT_INCOMING = """
INSERT INTO events SELECT * FROM incoming ORDER BY site_id, ts, event_id, received_at
ON CONFLICT (site_id, ts, event_id, commit_out) DO NOTHING RETURNING site_id, ts, event_id
"""
_EMPTY_INCOMING = "DELETE FROM incoming"
_PUT_DROPPED = """
INSERT INTO dropped (site_id, day, reason, events) VALUES (%s, %s, %s, %s)
ON CONFLICT (site_id, day, reason) DO UPDATE SET events = dropped.events + excluded.events
"""
_CLOSE = "UPDATE commits SET events = %s, first_ts = %s, last_ts = %s WHERE commit_no = %s"


T = TypeVar("T")

Number = tuple[str, int, int]
"""(edge, boot, seq): what the ledger knows a batch by."""


class Batch(NamedTuple):
    """One batch, ready to be stored. ``n``: its events, whatever became of them. ``fields``: the
    entry it came in, to be set aside whole. ``void``: numbers of its boot that were given up.
    ``waiting``: rows of days whose rows are in the archive alone."""

    edge: str
    boot: int
    seq: int
    n: int
    rows: list[Row]
    dropped: list[Left]
    unfit: list[Unfit]
    fields: Mapping[bytes, bytes] = {}
    void: Sequence[int] = ()
    waiting: Sequence[Row] = ()

    @property
    def number(self) -> Number:
        """What the ledger knows it by."""
        return self.edge, self.boot, self.seq


class Read(NamedTuple):
    """What one transaction stores. ``repeated``: entries that held a batch a second time."""

    batches: list[Batch]
    damaged: list[Damaged]
    repeated: int = 0


class Outcome(NamedTuple):
    """Counts of what became of a read; ``quarantined`` by reason."""

    commit_no: int
    new_batches: int
    repeated_batches: int
    stored: int
    duplicate: int
    dropped: int
    quarantined: Counter[str]
    waiting: int = 0


class Store:
    """One connection that commits read after read. Not for two threads at once."""

    def __init__(
        self,
        postgres_url: str,
        quarantine: Quarantine,
        answer_s: float = ANSWER_WITHIN_S,
        promises: Promises | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._url = postgres_url
        self._clock = clock
        self._quarantine = quarantine
        self._answer_s = answer_s
        self._patience_s = answer_s
        self._connection: Watched | None = None
        self._promises = promises or Promises()

    def put(self, read: Read) -> list[Outcome]:
        """Store a read: in one transaction, or where the database refuses its data batch by batch.

        Raises Unavailable; then nothing, or some of the batches, is stored, and the same read
        may be put again. Raises DataRefused once all the rest is stored, where something could
        not even be set aside.
        """
        try:
            return [self._commit(lambda cursor: self._put_all(cursor, read))]
        except DataRefused:
            log.warning("the database refused data; storing batch by batch")
        alone = [partial(self._put_one, batch) for batch in read.batches]
        return _do_each(alone + [partial(self._put_aside, entry) for entry in read.damaged])

    def put_again(self, batch: Batch, quarantine_id: int, *, is_whole: bool) -> Outcome | None:
        """Store what was set aside and close it, both or neither; None: it is held no more.

        ``is_whole``: an entry, whose number the ledger may know by now; an event's it does. An
        event of it that the database refuses is set aside alone. Raises Unavailable, and
        DataRefused where it stays held as it is.
        """
        try:
            return self._commit(
                lambda cursor: self._put_again(cursor, batch, quarantine_id, is_whole)
            )
        except DataRefused:
            if not is_whole:
                raise
            log.warning("the database refused an entry that was set aside; storing event by event")
        return self._commit(lambda cursor: self._put_each_again(cursor, batch, quarantine_id))

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _put_one(self, batch: Batch) -> Outcome:
        read = Read([batch], [])
        try:
            return self._commit(lambda cursor: self._put_all(cursor, read))
        except DataRefused:
            log.warning("the database refused a batch; storing event by event")
        try:
            return self._commit(lambda cursor: self._put_each(cursor, batch))
        except DataRefused as error:
            return self._put_aside(Damaged(batch.edge, batch.fields, REFUSED, error.sqlstate))

    def _put_aside(self, entry: Damaged) -> Outcome:
        read = Read([], [entry])
        return self._commit(lambda cursor: self._put_all(cursor, read))

    def _commit(self, work: Callable[[Cursor[Any]], T]) -> T:
        for left in reversed(range(_TRIES)):
            try:
                connection = self._connected()
                with connection.transaction(), connection.cursor() as cursor:
                    outcome = work(cursor)
            except psycopg.Error as error:
                if is_collision(error) and left:
                    WRITER_DATABASE_TROUBLES.labels(COLLISION).inc()
                    continue
                meaning = translate(error)
                if isinstance(meaning, Unavailable):
                    self._give_up(meaning)
                raise meaning from error
            except Exception as error:
                # Such as a number that does not fit its parameter: the database never saw it.
                raise _meaning(error) from error
            self._patience_s = connection.answer_s = self._answer_s
            return outcome
        raise AssertionError("unreachable")

    def _give_up(self, trouble: Unavailable) -> None:
        """A connection in doubt is not used again; a database that is only slow gets more time."""
        self.close()
        if trouble.why == NO_ANSWER:
            self._patience_s = min(self._patience_s * 2, self._answer_s * LONGEST_S)

    def _connected(self) -> Watched:
        if self._connection is not None:
            self._promises.require()
        else:
            self._connection = self._promised(connect(self._url, answer_s=self._answer_s))
            self._connection.answer_s = self._patience_s
            register(self._connection)
            with self._connection.transaction():
                self._connection.execute(_MAKE_INCOMING)
        return self._connection

    def _promised(self, connection: Watched) -> Watched:
        try:
            self._promises.look(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _put_all(self, cursor: Cursor[Any], read: Read) -> Outcome:
        commit_no = _open_commit(cursor)
        batches = self._part(cursor, _put_batches(cursor, read.batches, commit_no))
        rows = [row for batch in batches for row in batch.rows]
        unfit = [event for batch in batches for event in batch.unfit]
        stored = _put_rows(cursor, rows, commit_no)
        self._quarantine.put_entries(cursor, read.damaged, commit_no)
        return self._finish(cursor, read, batches, unfit, stored, commit_no)

    def _put_again(
        self, cursor: Cursor[Any], batch: Batch, quarantine_id: int, is_whole: bool
    ) -> Outcome | None:
        commit_no = _open_commit(cursor)
        if not close(cursor, quarantine_id, REPLAYED):
            return None
        batches = _put_batches(cursor, [batch], commit_no) if is_whole else [batch]
        batches = self._part(cursor, batches)
        rows = [row for new in batches for row in new.rows]
        unfit = [event for new in batches for event in new.unfit]
        stored = _put_rows(cursor, rows, commit_no, are_new=False)
        return self._finish(cursor, Read([batch], []), batches, unfit, stored, commit_no)

    def _put_each_again(
        self, cursor: Cursor[Any], batch: Batch, quarantine_id: int
    ) -> Outcome | None:
        commit_no = _open_commit(cursor)
        if not close(cursor, quarantine_id, REPLAYED):
            return None
        return self._put_apart(cursor, batch, commit_no, are_new=False)

    def _put_each(self, cursor: Cursor[Any], batch: Batch) -> Outcome:
        return self._put_apart(cursor, batch, _open_commit(cursor), are_new=True)

    def _put_apart(
        self, cursor: Cursor[Any], batch: Batch, commit_no: int, *, are_new: bool
    ) -> Outcome:
        """One savepoint an event: whatever the database refuses goes to the quarantine."""
        batches = self._part(cursor, _put_batches(cursor, [batch], commit_no))
        unfit = [event for new in batches for event in new.unfit]
        stored, refusals = _Stored(0, [], [], []), list[Unfit]()
        for row in [row for new in batches for row in new.rows]:
            try:
                with cursor.connection.transaction():
                    stored = stored.plus(_put_rows(cursor, [row], commit_no, are_new=are_new))
            except Exception as error:
                refused = _meaning(error)
                if not isinstance(refused, DataRefused):
                    raise
                why = SetAside(REFUSED, refused.sqlstate)
                refusals.append(Unfit(row.draft.origin, why))
        read = Read([batch], [])
        return self._finish(cursor, read, batches, unfit, stored, commit_no, refusals)

    def _part(self, cursor: Cursor[Any], batches: list[Batch]) -> list[Batch]:
        """The same, less the rows that their days do not take now, or not any more."""
        rows = [row for batch in batches for row in batch.rows]
        parted = part_days(cursor, rows, self._clock())
        return [_less(batch, parted) for batch in batches] if any(parted) else batches

    def _finish(
        self,
        cursor: Cursor[Any],
        read: Read,
        batches: Sequence[Batch],
        unfit: list[Unfit],
        stored: "_Stored",
        commit_no: int,
        refusals: Sequence[Unfit] = (),
    ) -> Outcome:
        unfit = [*unfit, *refusals]
        waiting = [row for batch in batches for row in batch.waiting]
        self._quarantine.put_events(cursor, unfit, commit_no)
        self._quarantine.put_waiting(cursor, waiting, commit_no)
        dropped = [left for batch in batches for left in batch.dropped]
        _put_dropped(cursor, dropped)
        put_left_out(cursor, stored.losers, dropped, commit_no)
        first, last = min(stored.touched, default=None), max(stored.touched, default=None)
        range_of_ts = (first and moment(first), last and moment(last))
        cursor.execute(_CLOSE, (stored.events, *range_of_ts, commit_no))
        put_counts(cursor, count_read(map(_decided, batches), stored.new, refusals))
        rows = sum(len(batch.rows) for batch in batches)
        reasons = [event.why.reason for event in unfit] + [bad.reason for bad in read.damaged]
        return Outcome(
            commit_no=commit_no,
            new_batches=len(batches),
            repeated_batches=len(read.batches) - len(batches) + read.repeated,
            stored=stored.events,
            duplicate=rows - len(refusals) - stored.events,
            dropped=len(dropped),
            quarantined=Counter(reasons),
            waiting=len(waiting),
        )


class _Stored(NamedTuple):
    """``touched``: when each row happened that came or went. ``new``: the rows that were stored
    and took no other's place."""

    events: int
    touched: list[int]
    losers: list[Loser]
    new: list[Row]

    def plus(self, other: "_Stored") -> "_Stored":
        return _Stored(
            self.events + other.events,
            self.touched + other.touched,
            self.losers + other.losers,
            self.new + other.new,
        )


def _less(batch: Batch, parted: Parted) -> Batch:
    rows, late, lost = part_rows(batch.rows, parted)
    return batch._replace(rows=rows, dropped=batch.dropped + lost, waiting=late)


def _decided(batch: Batch) -> Decided:
    return Decided(
        batch.edge, batch.boot, batch.n, batch.rows, batch.dropped, batch.unfit, batch.waiting
    )


def _do_each(works: Iterable[Callable[[], Outcome]]) -> list[Outcome]:
    """All of them, whatever is refused; the last refusal is raised at the end."""
    outcomes: list[Outcome] = []
    refusal: DataRefused | None = None
    for work in works:
        try:
            outcomes.append(work())
        except DataRefused as error:
            refusal = error
    if refusal is not None:
        raise refusal
    return outcomes


def _meaning(error: Exception) -> Unavailable | DataRefused:
    if isinstance(error, Unavailable | DataRefused):
        return error
    if isinstance(error, psycopg.Error):
        return translate(error)
    return DataRefused(type(error).__name__)


def _open_commit(cursor: Cursor[Any]) -> int:
    row = cursor.execute("SELECT open_commit()").fetchone()
    if row is None:
        raise Unavailable("no commit number")
    return int(row[0])


def _put_batches(cursor: Cursor[Any], batches: Sequence[Batch], commit_no: int) -> list[Batch]:
    """The batches that are new, each once."""
    if not batches:
        return []
    edges, boots, seqs, ns = zip(*((b.edge, b.boot, b.seq, b.n) for b in batches), strict=True)
    cursor.execute(_PUT_BATCH, (commit_no, list(edges), list(boots), list(seqs), list(ns)))
    by_number = {batch.number: batch for batch in reversed(batches)}
    new = [by_number[edge, boot, seq] for edge, boot, seq in cursor.fetchall()]
    put_voids(cursor, (((batch.edge, batch.boot), batch.void) for batch in new))
    return new


def _put_rows(
    cursor: Cursor[Any], rows: Sequence[Row], commit_no: int, *, are_new: bool = True
) -> _Stored:
    standing, gone_ts, replacing, losers = claim(cursor, rows, commit_no)
    counted = [row for row in standing if are_new and not row.draft.is_derived]
    derived = [row for row in standing if not are_new or row.draft.is_derived]
    _copy(cursor, _COPY_EVENTS, counted, commit_no)
    stored = counted + _put_derived(cursor, derived, commit_no)
    places = {id(row) for row in replacing}
    new = [row for row in stored if id(row) not in places] if places else stored
    return _Stored(len(stored), [row.draft.ts for row in standing] + gone_ts, losers, new)


def _put_derived(cursor: Cursor[Any], rows: Sequence[Row], commit_no: int) -> list[Row]:
    """Rows whose event id may be there already; returns those that were not."""
    if not rows:
        return []
    _copy(cursor, _COPY_INCOMING, rows, commit_no)
    found = cursor.execute(_PUT_INCOMING).fetchall()
    cursor.execute(_EMPTY_INCOMING)
    by_key = {
        (row.draft.site_id, row.draft.ts, row.draft.event_id): row
        for row in sorted(rows, key=lambda row: -row.draft.received_at)
    }
    return [by_key[site_id, us(ts), event_id.int] for site_id, ts, event_id in found]


def _copy(cursor: Cursor[Any], statement: str, rows: Sequence[Row], commit_no: int) -> None:
    if rows:
        with cursor.copy(statement) as copy:
            copy.write(payload(rows, commit_no))


def _put_dropped(cursor: Cursor[Any], dropped: Iterable[Left]) -> None:
    counts = Counter((left.draft.site_id, left.draft.day, left.why.reason) for left in dropped)
    values = [
        (site_id, as_date(day), reason, n) for (site_id, day, reason), n in sorted(counts.items())
    ]
    if values:
        cursor.executemany(_PUT_DROPPED, values)
