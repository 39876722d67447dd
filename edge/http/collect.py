"""From the body of one request to an envelope in a batch: where a beacon's way begins."""

from typing import NamedTuple

from edge.admission.drops import Drop
from edge.admission.guard import Guard
from edge.admission.rules import Site
from edge.batches.batcher import Batcher, Done
from edge.clock.capture import CaptureClock
from edge.http.peek import site_named_in
from edge.http.request import Caller, captured_headers
from shared import beacon, receipt
from shared.beacon_reader import Reading, read
from shared.envelope import PROTOCOL, Envelope
from shared.errors import Code, Refusal
from shared.metrics import SPOOL_SHARE_REFUSALS

SHARE_RETRY_AFTER_S = 5


class Taken(NamedTuple):
    """Events on their way into a batch."""

    site: str
    reading: Reading
    first: int
    keyed: bool


class Dropped(NamedTuple):
    """Events that were sound and are not kept."""

    site: str
    reading: Reading
    reason: Drop


class NoneSound(NamedTuple):
    """No event could be taken; the reading says why."""

    reading: Reading


class Collector:
    """Reads, judges and captures. Nothing is awaited between the time stamp and the batch, so
    that received_at never runs back within a boot."""

    def __init__(self, guard: Guard, batcher: Batcher, clock: CaptureClock, boot: int) -> None:
        self._guard = guard
        self._batcher = batcher
        self._clock = clock
        self._boot = boot

    def collect(self, caller: Caller, body: bytes, done: Done) -> Taken | Dropped | NoneSound:
        """What becomes of the events in a body; ``done`` is called for what is Taken. Raises
        Refusal."""
        self._refuse_early(body)
        received_at = self._clock.now()
        bearer = caller.bearer
        keyed = bearer is not None
        may_import = bearer is not None and bearer.may_import
        reading = read(body, beacon.Caller(received_at, keyed, may_import))
        if not reading.beacons:
            return NoneSound(reading)
        name = reading.beacons[0].site
        site = self._judge(caller, name)
        site_name = name.lower() if site is None else site.name
        if site is not None and site.excluded and caller.client in site.excluded:
            return Dropped(site_name, reading, Drop.EXCLUDED)
        if not self._batcher.may_take(site_name):
            raise _over_share()
        self._guard.charge(caller.prefix, bearer, site, reading.events)
        return self._put(caller, body, received_at, site_name, reading, done)

    def receipts(self, taken: Taken, seq: int) -> list[str | None]:
        """The ids of the events, in the order of the request; None for those not taken."""
        beacons, places = taken.reading.beacons, taken.reading.taken
        if not taken.keyed and taken.reading.events == 1:
            return [receipt.counted_text(self._boot, seq, taken.first)]
        ids = [
            receipt.text(self._event_id(taken, seq, index, event))
            for index, event in enumerate(beacons)
        ]
        if places is None:
            return list(ids)
        receipts: list[str | None] = [None] * taken.reading.events
        for place, event_id in zip(places, ids, strict=True):
            receipts[place] = event_id
        return receipts

    def _event_id(self, taken: Taken, seq: int, index: int, event: beacon.Beacon) -> int:
        if taken.keyed and event.id is not None and event.ts is not None:
            return receipt.derived(taken.site, event.id)
        return receipt.counted(self._boot, seq, taken.first + index)

    def _refuse_early(self, body: bytes) -> None:
        if self._guard.is_refusing and (name := site_named_in(body)) is not None:
            self._guard.check_site_rate(name)

    def _judge(self, caller: Caller, name: str) -> Site | None:
        site = self._guard.site(name)
        self._guard.check_origin(site, caller.headers)
        self._guard.check_key(caller.bearer, name)
        return site

    def _put(
        self,
        caller: Caller,
        body: bytes,
        received_at: int,
        site: str,
        reading: Reading,
        done: Done,
    ) -> Taken:
        bearer = caller.bearer
        headers = captured_headers(caller.headers)
        size = len(body) + len(headers.user_agent) + len(headers.referer)
        events = len(reading.beacons)
        batch = self._batcher.batch_for(size, events)
        first = batch.events
        envelope = Envelope(
            received_at,
            PROTOCOL,
            site,
            # A keyed call comes from the site's server, whose address says nothing of a visitor.
            caller.client.text if bearer is None else "",
            None if bearer is None else bearer.digest,
            bearer is not None and bearer.verified,
            headers,
            first,
            reading.taken,
            body,
        )
        self._batcher.put(batch, envelope, size, events, done)
        return Taken(site, reading, first, bearer is not None)


def _over_share() -> Refusal:
    SPOOL_SHARE_REFUSALS.inc()
    return Refusal(
        Code.UNAVAILABLE,
        "too much of this site waits here already; retry later",
        retry_after_s=SHARE_RETRY_AFTER_S,
    )
