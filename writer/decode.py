"""From a stream entry to drafts: opened, believed only as sealed, its beacons read again."""

import logging
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from nacl.public import PrivateKey

from shared import receipt
from shared.batch import MISMATCH, DamagedBatch, Header, Sealed, open_sealed
from shared.beacon import Beacon, Caller, happened_at
from shared.beacon_reader import MAX_EVENTS, Reading, read
from shared.envelope import PROTOCOL, Envelope
from shared.errors import Refusal
from shared.sites import SiteSettings
from shared.snapshot import SCOPES
from writer.draft import UNPLACED, Draft, Origin, SetAside
from writer.known.sites import ApiKey, Site, SiteBook

UNKNOWN_SITE = "unknown_site"
UNKNOWN_KEY = "unknown_key"
REVOKED_KEY = "revoked_key"
KEY_OF_OTHER_SITE = "key_of_other_site"
KEY_WITHOUT_SCOPE = "key_without_scope"
UNKNOWN_PROTOCOL = "unknown_protocol"
BAD_COUNT = "bad_count"
UNREADABLE = "unreadable"

log = logging.getLogger("writer")


class Unfit(NamedTuple):
    """An event that cannot become a row."""

    origin: Origin
    why: SetAside


def open_entry(
    edge: str, fields: Mapping[bytes, bytes], private_keys: Mapping[str, PrivateKey]
) -> Sealed:
    """The batch in an entry of ``edge``'s stream. Raises DamagedBatch."""
    sealed = open_sealed(fields, private_keys)
    if sealed.header.edge != edge:
        raise DamagedBatch(MISMATCH, "another edge's stream")
    _check_places(sealed)
    return sealed


def _check_places(sealed: Sealed) -> None:
    """Each event has a place of its own below ``n``, and none is without an event: else receipts
    would mean two events, and the ledger's numbers would not add up."""
    at = 0
    for envelope, count in zip(sealed.envelopes, _counts(sealed), strict=True):
        told = count if envelope.taken is None else len(envelope.taken)
        if envelope.first != at or not 0 < count <= MAX_EVENTS or told != count:
            raise DamagedBatch(BAD_COUNT)
        at += count
    if at != sealed.header.n:
        raise DamagedBatch(BAD_COUNT)


def _counts(sealed: Sealed) -> list[int]:
    """How many events each envelope says it has: up to where the next one begins."""
    firsts = [envelope.first for envelope in sealed.envelopes]
    ends = [*firsts[1:], sealed.header.n]
    return [end - first for first, end in zip(firsts, ends, strict=False)]


def read_drafts(sealed: Sealed, book: SiteBook) -> list[Draft | Unfit]:
    """Every event of a batch, in order. Raises DamagedBatch where they are not as many as told."""
    found: list[Draft | Unfit] = []
    header = sealed.header
    batch = _Numbered(header, receipt.counted(header.boot, header.seq, 0))
    for envelope, count in zip(sealed.envelopes, _counts(sealed), strict=True):
        events = _read_envelope(batch, envelope, count, book)
        if len(events) != count:
            raise DamagedBatch(BAD_COUNT)
        found += events
    return found


class _Numbered(NamedTuple):
    """``first_id``: the counted id of the event at 0; the index is in its lowest bits."""

    header: Header
    first_id: int


def _read_envelope(
    batch: _Numbered, envelope: Envelope, count: int, book: SiteBook
) -> Sequence[Draft | Unfit]:
    site = book.sites.get(envelope.site.lower())
    key = None if envelope.key is None else book.keys.get(envelope.key)
    why = _fault_of(envelope, site, key)
    if why is None:
        try:
            return _read_events(batch, envelope, site, key)
        except Refusal as refusal:
            why = SetAside(refusal.code)
        except Exception as error:
            # Whatever one envelope does to the reader, its neighbours go on.
            log.error("an envelope could not be read: %s", type(error).__name__)
            why = SetAside(UNREADABLE, type(error).__name__)
    return [Unfit(_origin(batch.header, envelope, k), why) for k in range(count)]


def _fault_of(envelope: Envelope, site: Site | None, key: ApiKey | None) -> SetAside | None:
    if envelope.protocol != PROTOCOL:
        return SetAside(UNKNOWN_PROTOCOL, str(envelope.protocol))
    if site is None:
        return SetAside(UNKNOWN_SITE)
    return None if envelope.key is None else _key_fault(envelope, site, key)


def _key_fault(envelope: Envelope, site: Site, key: ApiKey | None) -> SetAside | None:
    if key is None:
        return SetAside(UNKNOWN_KEY)
    if key.revoked_at is not None and key.revoked_at <= envelope.received_at:
        return SetAside(REVOKED_KEY)
    if key.site_id is not None and key.site_id != site.site_id:
        return SetAside(KEY_OF_OTHER_SITE)
    if not key.scopes & {SCOPES.INGEST, SCOPES.IMPORT}:
        return SetAside(KEY_WITHOUT_SCOPE)
    return None


def _read_events(
    batch: _Numbered, envelope: Envelope, site: Site | None, key: ApiKey | None
) -> Sequence[Draft | Unfit]:
    assert site is not None
    may_import = key is not None and SCOPES.IMPORT in key.scopes
    reading = read(envelope.body, Caller(envelope.received_at, key is not None, may_import))
    make = _draft if key is None else _keyed_draft
    if reading.taken is None and envelope.taken is None:
        settings = site.settings_at(envelope.received_at)
        beacons = reading.beacons
        if len(beacons) == 1:
            # The usual request; a list made in a loop costs as much as the draft.
            return (make(batch, envelope, 0, 0, beacons[0], site, settings),)
        return [
            make(batch, envelope, place, place, beacon, site, settings)
            for place, beacon in enumerate(beacons)
        ]
    return _pick(batch, envelope, reading, site, make)


def _pick(
    batch: _Numbered, envelope: Envelope, reading: Reading, site: Site, make: "_Make"
) -> list[Draft | Unfit]:
    """Where one of edge and writer did not take all of a request: what the edge took of it."""
    settings = site.settings_at(envelope.received_at)
    places = range(reading.events) if reading.taken is None else reading.taken
    by_place = dict(zip(places, reading.beacons, strict=True))
    wanted = range(reading.events) if envelope.taken is None else envelope.taken
    codes = {fault.index: fault.code for fault in reading.faults}
    found: list[Draft | Unfit] = []
    for k, place in enumerate(wanted):
        beacon = by_place.get(place)
        if beacon is None:
            why = SetAside(codes.get(place, BAD_COUNT))
            found.append(Unfit(_origin(batch.header, envelope, k), why))
        else:
            found.append(make(batch, envelope, k, place, beacon, site, settings))
    return found


def _origin(header: Header, envelope: Envelope, k: int) -> Origin:
    taken = k if envelope.taken is None else envelope.taken[k]
    return Origin(header.edge, header.boot, header.seq, envelope.first + k, envelope, taken)


_Make = Callable[[_Numbered, Envelope, int, int, Beacon, Site, SiteSettings], Draft]


def _draft(
    batch: _Numbered,
    envelope: Envelope,
    k: int,
    taken: int,
    beacon: Beacon,
    site: Site,
    settings: SiteSettings,
) -> Draft:
    """Event ``k`` of those taken of an envelope. By position: it is paid for every event."""
    nth, received_at, headers = envelope.first + k, envelope.received_at, envelope.headers
    return Draft(
        batch.header,
        envelope,
        nth,
        taken,
        beacon,
        site.site_id,
        site.key,
        settings,
        batch.first_id | nth,
        False,
        beacon.id,
        received_at,
        happened_at(beacon, received_at, False) if beacon.age_ms else received_at,
        envelope.ip,
        headers.user_agent,
        headers.language,
        UNPLACED,
    )


def one_spelling(ip: str) -> str:
    """Of an address that its sender may spell in many ways: one visitor has one."""
    address = ip_address(ip.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _keyed_draft(
    batch: _Numbered,
    envelope: Envelope,
    k: int,
    taken: int,
    beacon: Beacon,
    site: Site,
    settings: SiteSettings,
) -> Draft:
    """The same of a keyed call, whose connection and headers are those of somebody's server."""
    draft = _draft(batch, envelope, k, taken, beacon, site, settings)
    draft.ts = happened_at(beacon, envelope.received_at, True)
    draft.ip = one_spelling(beacon.ip) if beacon.ip else ""
    draft.user_agent, draft.accept = beacon.user_agent or "", ""
    if beacon.id is not None and beacon.ts is not None:
        draft.is_derived, draft.event_id = True, receipt.derived(envelope.site, beacon.id)
    return draft
