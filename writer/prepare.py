"""From stream entries to a read ready to be stored; all look-ups in the database happen here."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any, NamedTuple

import psycopg
from nacl.public import PrivateKey
from psycopg import Connection

from shared.batch import DamagedBatch, Sealed
from shared.clock import US_PER_DAY, Clock
from shared.metrics import WRITER_STEP_SECONDS
from writer.database.connection import ANSWER_WITHIN_S, Unavailable, connect, translate
from writer.days import DayBook
from writer.decode import Unfit, open_entry, read_drafts
from writer.draft import Draft, SetAside, When
from writer.encode import encode
from writer.enrich.bot import Bots
from writer.enrich.pipeline import FAILED, enrich, steps
from writer.enrich.place import Geo
from writer.known.salts import SaltBook
from writer.known.sites import Site, SiteBook, read_sites
from writer.known.zones import QUARTER_US, Day, day_of
from writer.quarantine.keeping import Damaged
from writer.store import Batch, Number, Read

log = logging.getLogger("writer")

UNPREPARABLE = "unpreparable"


class Entry(NamedTuple):
    """One entry of an edge's stream. ``deliveries``: how often a writer was given it."""

    edge: str
    entry_id: bytes
    fields: Mapping[bytes, bytes]
    deliveries: int = 1


class _Opened(NamedTuple):
    sealed: Sealed
    fields: Mapping[bytes, bytes]


class Preparer:
    """Knows sites, days, salts and places. Not for two threads at once."""

    def __init__(
        self,
        postgres_url: str,
        private_keys: Mapping[str, PrivateKey],
        geo: Geo,
        clock: Clock,
        rows_keep_days: int,
        answer_s: float = ANSWER_WITHIN_S,
    ) -> None:
        self._url = postgres_url
        self._answer_s = answer_s
        self._private_keys = private_keys
        self._geo = geo
        self._bots = Bots()
        self.pipeline = steps(geo, self._bots)
        self._clock = clock
        self._rows_keep_days = rows_keep_days
        self._connection: Connection[Any] | None = None
        self._book = SiteBook()
        self._by_id: dict[int, Site] = {}
        self._days = DayBook()
        self._salts = SaltBook(clock)

    def prepare(self, entries: Sequence[Entry]) -> Read:
        """Decode and enrich. Raises Unavailable when the database must be asked and is away.

        Whatever else goes wrong with one entry sets that entry aside.
        """
        try:
            return self._prepare(entries)
        except Unavailable:
            raise
        except Exception as error:
            log.warning("a read cannot be prepared (%s): entry by entry", type(error).__name__)
        alone = [self._prepare_alone(entry) for entry in entries]
        batches = {batch.number: batch for read in reversed(alone) for batch in read.batches}
        damaged = [entry for read in alone for entry in read.damaged]
        return Read(
            list(reversed(batches.values())), damaged, len(entries) - len(batches) - len(damaged)
        )

    def _prepare_alone(self, entry: Entry) -> Read:
        try:
            return self._prepare([entry])
        except Unavailable:
            raise
        except DamagedBatch as error:
            why = SetAside(error.reason, error.detail)
        except Exception as error:
            # Not its message, which may quote the client.
            log.error("an entry cannot be prepared: %s", type(error).__name__)
            why = SetAside(UNPREPARABLE, type(error).__name__)
        return Read([], [Damaged(entry.edge, entry.fields, *why)])

    def _prepare(self, entries: Sequence[Entry]) -> Read:
        began = perf_counter()
        opened, damaged = self._open(entries)
        began = _note("open", began)
        self._refresh()
        began = _note("sites", began)
        found = [event for sealed, _ in opened for event in read_drafts(sealed, self._book)]
        began = _note("decode", began)
        drafts, unplaced = self._place([event for event in found if isinstance(event, Draft)])
        _note("day", began)
        unfit = [event for event in found if isinstance(event, Unfit)] + unplaced
        batches = self._batches(opened, drafts, unfit)
        return Read(batches, damaged, len(entries) - len(batches) - len(damaged))

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            meaning = translate(error)
            if isinstance(meaning, Unavailable):
                self.close()
            raise meaning from error

    def _open(self, entries: Sequence[Entry]) -> tuple[list[_Opened], list[Damaged]]:
        opened: dict[Number, _Opened] = {}
        damaged: list[Damaged] = []
        for edge, _, fields, _ in entries:
            try:
                sealed = open_entry(edge, fields, self._private_keys)
            except DamagedBatch as error:
                damaged.append(Damaged(edge, fields, error.reason, error.detail))
                continue
            header = sealed.header
            # An entry whose XADD was given up for lost may be there twice.
            opened.setdefault((edge, header.boot, header.seq), _Opened(sealed, fields))
        return list(opened.values()), damaged

    def _refresh(self) -> None:
        """What is wrong with the sites is no entry's fault: it is waited for."""
        try:
            with self._asking():
                self._read_sites()
        except Unavailable:
            raise
        except Exception as error:
            raise Unavailable(f"sites cannot be read: {type(error).__name__}") from error

    def _read_sites(self) -> None:
        """Sites as of now: an event is judged by no older settings than those of its receipt."""
        if self._connection is None:
            self._connection = connect(self._url, autocommit=True, answer_s=self._answer_s)
        book = read_sites(self._connection, self._book)
        if book is not self._book:
            self._book = book
            self._by_id = {site.site_id: site for site in book.sites.values()}
            self._days.hours.forget()
            self._bots.learn(book.bots)
        self._geo.reload()

    def _place(self, drafts: list[Draft]) -> tuple[list[Draft], list[Unfit]]:
        """In time; event by event where one of them has no place in it."""
        try:
            with self._asking():
                self._place_in_time(drafts)
                return drafts, []
        except Unavailable:
            raise
        except Exception as error:
            log.warning("a read has no place in time (%s): by event", type(error).__name__)
        placed: list[Draft] = []
        unfit: list[Unfit] = []
        for draft in drafts:
            try:
                with self._asking():
                    self._place_in_time([draft])
            except Unavailable:
                raise
            except Exception as error:
                why = SetAside(UNPREPARABLE, type(error).__name__)
                unfit.append(Unfit(draft.origin, why))
            else:
                placed.append(draft)
        return placed, unfit

    def _place_in_time(self, drafts: Sequence[Draft]) -> None:
        """Give each draft its day, hour, salt, and whether it is past its site's retention."""
        assert self._connection is not None
        now = self._clock()
        # Whoever has no address needs no salt, and must not be the reason to make one.
        known: dict[tuple[int, int, bool], When] = {}
        wanted: dict[tuple[int, Day], list[When]] = {}
        for draft in drafts:
            ts = draft.ts
            key = draft.site_id, ts // QUARTER_US, draft.ip == ""
            when = known.get(key)
            if when is None or not when.starts_at <= ts < when.ends_at:
                day, when = self._when(draft.site_id, ts, now)
                known[key] = when
                if draft.ip and not when.expired:
                    wanted.setdefault((draft.site_id, day), []).append(when)
            draft.when = when
        salts = self._salts.settle(self._connection, wanted)
        for (site_id, day), moments in wanted.items():
            for when in moments:
                when.salt = salts[site_id, day.number]

    def _when(self, site_id: int, ts: int, now: int) -> tuple[Day, When]:
        """What an instant has in common with those around it: one quarter of an hour, one day,
        one side of what the site keeps."""
        kept_from = self._kept_from(site_id, now)
        day = self._day(site_id, ts, kept_from)
        hour = self._days.hours.at(site_id, self._by_id[site_id].zones, ts)
        starts_at = max(ts - ts % QUARTER_US, day.starts_at)
        ends_at = min(ts - ts % QUARTER_US + QUARTER_US, day.ends_at)
        if ts < kept_from:
            return day, When(day.number, hour, starts_at, min(ends_at, kept_from), True)
        return day, When(day.number, hour, max(starts_at, kept_from), ends_at)

    def _day(self, site_id: int, ts: int, kept_from: int) -> Day:
        known = self._days.find(site_id, ts)
        if known is not None:
            return known
        if ts < kept_from:
            # It will be dropped, and must leave no day behind.
            return day_of(self._by_id[site_id].zones, ts)
        assert self._connection is not None
        return self._days.settle(self._connection, self._by_id[site_id], ts)

    def _kept_from(self, site_id: int, now: int) -> int:
        keep_days = self._by_id[site_id].settings[-1].keep_days or self._rows_keep_days
        return now - keep_days * US_PER_DAY

    def _batches(
        self, opened: Sequence[_Opened], drafts: list[Draft], unfit: list[Unfit]
    ) -> list[Batch]:
        done = enrich(drafts, self.pipeline)
        began = perf_counter()
        batches = {
            (header.edge, header.boot, header.seq): Batch(
                header.edge, header.boot, header.seq, header.n, [], [], [], fields, header.void
            )
            for header, fields in ((sealed.header, fields) for sealed, fields in opened)
        }
        batch, header = None, None
        for draft in done.drafts:
            if draft.header is not header or batch is None:
                header = draft.header
                batch = batches[draft.origin[:3]]
            self._encode_into(batch, draft)
        for left in done.dropped:
            batches[left.draft.origin[:3]].dropped.append(left)
        for event in unfit + done.unfit:
            batches[event.origin[:3]].unfit.append(event)
        _note("encode", began)
        return list(batches.values())

    def _encode_into(self, batch: Batch, draft: Draft) -> None:
        try:
            batch.rows.append(encode(draft))
        except Exception as error:
            log.error("an event could not be encoded: %s", type(error).__name__)
            why = SetAside(FAILED, f"encode: {type(error).__name__}")
            batch.unfit.append(Unfit(draft.origin, why))


def _note(step: str, began: float) -> float:
    now = perf_counter()
    WRITER_STEP_SECONDS.labels(step).inc(now - began)
    return now
