"""From stream entries to a read ready to be stored; all look-ups in the database happen here."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any, NamedTuple

import psycopg
from msgspec.structs import replace
from nacl.public import PrivateKey
from psycopg import Connection

from shared.batch import DamagedBatch, Sealed
from shared.clock import US_PER_DAY, Clock
from shared.metrics import WRITER_STEP_SECONDS
from writer.database import Unavailable, connect, translate
from writer.days import DayBook
from writer.decode import Unfit, open_entry, read_drafts
from writer.draft import Draft, SetAside
from writer.encode import encode
from writer.enrich.pipeline import FAILED, enrich, steps
from writer.enrich.place import Geo
from writer.quarantine import Damaged
from writer.salts import SaltBook
from writer.sites import Site, SiteBook, read_sites
from writer.store import Batch, Number, Read
from writer.zones import Day, day_of

log = logging.getLogger("writer")

UNPREPARABLE = "unpreparable"


class Entry(NamedTuple):
    """One entry of an edge's stream."""

    edge: str
    entry_id: bytes
    fields: Mapping[bytes, bytes]


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
    ) -> None:
        self._url = postgres_url
        self._private_keys = private_keys
        self._geo = geo
        self.pipeline = steps(geo)
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
        for edge, _, fields in entries:
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
            self._connection = connect(self._url, autocommit=True)
        book = read_sites(self._connection, self._book)
        if book is not self._book:
            self._book = book
            self._by_id = {site.site_id: site for site in book.sites.values()}
            self._days.hours.forget()
        self._geo.reload()

    def _place(self, drafts: list[Draft]) -> tuple[list[Draft], list[Unfit]]:
        """In time; event by event where one of them has no place in it."""
        try:
            with self._asking():
                return self._place_in_time(drafts), []
        except Unavailable:
            raise
        except Exception as error:
            log.warning("a read has no place in time (%s): by event", type(error).__name__)
        placed: list[Draft] = []
        unfit: list[Unfit] = []
        for draft in drafts:
            try:
                with self._asking():
                    placed += self._place_in_time([draft])
            except Unavailable:
                raise
            except Exception as error:
                why = SetAside(UNPREPARABLE, type(error).__name__)
                unfit.append(Unfit(draft.origin, why))
        return placed, unfit

    def _place_in_time(self, drafts: list[Draft]) -> list[Draft]:
        """Give each draft its day, hour, salt, and how far back its site keeps rows."""
        assert self._connection is not None
        now = self._clock()
        kept = {site_id: self._kept_from(site_id, now) for site_id in {d.site_id for d in drafts}}
        days = [self._day(draft, kept[draft.site_id]) for draft in drafts]
        wanted = {
            (draft.site_id, day.number): day
            for draft, day in zip(drafts, days, strict=True)
            if draft.ip and draft.ts >= kept[draft.site_id]
        }
        salts = self._salts.settle(
            self._connection, [(site_id, day) for (site_id, _), day in wanted.items()]
        )
        hours = self._days.hours
        return [
            replace(
                draft,
                day=day.number,
                hour=hours.at(draft.site_id, self._by_id[draft.site_id].zones, draft.ts),
                salt=salts.get((draft.site_id, day.number)) if draft.ip else None,
                kept_from=kept[draft.site_id],
            )
            for draft, day in zip(drafts, days, strict=True)
        ]

    def _day(self, draft: Draft, kept_from: int) -> Day:
        known = self._days.find(draft.site_id, draft.ts)
        if known is not None:
            return known
        if draft.ts < kept_from:
            # It will be dropped, and must leave no day behind.
            return day_of(self._by_id[draft.site_id].zones, draft.ts)
        assert self._connection is not None
        return self._days.settle(self._connection, self._by_id[draft.site_id], draft.ts)

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
                header.edge, header.boot, header.seq, header.n, [], [], [], fields
            )
            for header, fields in ((sealed.header, fields) for sealed, fields in opened)
        }
        for draft in done.drafts:
            self._encode_into(batches[draft.origin[:3]], draft)
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
