"""From a stream entry to drafts: opened, believed only as sealed, its beacons read again."""

import logging
from collections.abc import Mapping
from typing import NamedTuple

from nacl.public import PrivateKey

from shared import receipt
from shared.batch import MISMATCH, DamagedBatch, Header, Sealed, open_sealed
from shared.beacon import Beacon, Caller, happened_at
from shared.beacon_reader import MAX_EVENTS, read
from shared.envelope import PROTOCOL, Envelope
from shared.errors import Refusal
from shared.snapshot import SCOPES
from writer.draft import Draft, Origin, SetAside
from writer.sites import ApiKey, Site, SiteBook

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
    """Every event of a batch, in order. Raises DamagedBatch where they are not ``n``."""
    found: list[Draft | Unfit] = []
    for envelope, count in zip(sealed.envelopes, _counts(sealed), strict=True):
        found.extend(_read_envelope(sealed.header, envelope, count, book))
    if len(found) != sealed.header.n:
        raise DamagedBatch(BAD_COUNT)
    return found


def _read_envelope(
    header: Header, envelope: Envelope, count: int, book: SiteBook
) -> list[Draft | Unfit]:
    site = book.sites.get(envelope.site.lower())
    key = None if envelope.key is None else book.keys.get(envelope.key)
    why = _fault_of(envelope, site, key)
    if why is None:
        try:
            return _read_events(header, envelope, site, key)
        except Refusal as refusal:
            why = SetAside(refusal.code)
        except Exception as error:
            # Whatever one envelope does to the reader, its neighbours go on.
            log.error("an envelope could not be read: %s", type(error).__name__)
            why = SetAside(UNREADABLE, type(error).__name__)
    return [Unfit(_origin(header, envelope, k), why) for k in range(count)]


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
    header: Header, envelope: Envelope, site: Site | None, key: ApiKey | None
) -> list[Draft | Unfit]:
    assert site is not None
    may_import = key is not None and SCOPES.IMPORT in key.scopes
    caller = Caller(envelope.received_at, envelope.key is not None, may_import)
    reading = read(envelope.body, caller)
    if reading.taken == envelope.taken:
        sound: list[Beacon | None] = list(reading.beacons)
    else:
        places = range(reading.events) if reading.taken is None else reading.taken
        by_place = dict(zip(places, reading.beacons, strict=True))
        wanted = range(reading.events) if envelope.taken is None else envelope.taken
        sound = [by_place.get(place) for place in wanted]
    codes = {fault.index: fault.code for fault in reading.faults}
    found: list[Draft | Unfit] = []
    for k, beacon in enumerate(sound):
        origin = _origin(header, envelope, k)
        if beacon is None:
            found.append(Unfit(origin, SetAside(codes.get(origin.taken, BAD_COUNT))))
        else:
            found.append(_draft(origin, beacon, site))
    return found


def _origin(header: Header, envelope: Envelope, k: int) -> Origin:
    taken = k if envelope.taken is None else envelope.taken[k]
    return Origin(header.edge, header.boot, header.seq, envelope.first + k, envelope, taken)


def _draft(origin: Origin, beacon: Beacon, site: Site) -> Draft:
    envelope = origin.envelope
    keyed = envelope.key is not None
    is_derived = keyed and beacon.id is not None and beacon.ts is not None
    if is_derived and beacon.id is not None:
        event_id = receipt.derived(envelope.site, beacon.id)
    else:
        event_id = receipt.counted(origin.boot, origin.seq, origin.nth)
    headers = envelope.headers
    return Draft(
        origin=origin,
        beacon=beacon,
        site_id=site.site_id,
        site=site.key,
        settings=site.settings_at(envelope.received_at),
        event_id=event_id,
        is_derived=is_derived,
        client_id=beacon.id,
        received_at=envelope.received_at,
        ts=happened_at(beacon, envelope.received_at, keyed),
        # Of a keyed call, connection and headers are those of somebody's server.
        ip=(beacon.ip or "") if keyed else envelope.ip,
        user_agent=(beacon.user_agent or "") if keyed else headers.user_agent,
        language="" if keyed else headers.language,
    )
