"""The equation of the ledger: received = stored + duplicate + dropped + quarantined + in flight +
spooled, and the numbers that are missing where it does not hold. A loss that an operator has
accepted stands on the right side too, in a place of its own.

It is read in the direction of flow: what the edges say, then the streams, then the database. So a
batch on its way may be seen twice and is never overlooked; it counts once, by (boot, seq), where
it got furthest.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from psycopg import Connection, IsolationLevel
from redis import Redis

from shared.batch import DamagedBatch, Header, read_header
from writer.ledger.counts import DROPPED, DUPLICATE, QUARANTINED, STORED, WAITING
from writer.ledger.fold import Ranges, read_asides
from writer.quarantine.held import DISCARDED
from writer.stream import stream_key

RECEIVED = "received"
NOWHERE = "acknowledged, and nowhere"
_TRIES = 5
_PAGE = 500

_TOLD = """
SELECT boot, low, last_acked, counted_to, void, accepted, accepted_events FROM boot
WHERE edge = %s
"""
_TOLD_COUNTS = """
SELECT boot, site, outcome, events FROM edge_count
WHERE edge = %s AND (outcome = 'received' OR starts_with(outcome, 'dropped:'))
"""
_FOLDED = """
SELECT boot, stored, folded_events, uncounted_events FROM boot WHERE edge = %s
"""
_BATCHES = "SELECT boot, seq, n FROM batch WHERE edge = %s"
_COUNTS = "SELECT boot, site, outcome, events FROM ledger_count WHERE edge = %s"

Span = tuple[int, int]
"""First and last of some numbers in a row."""


class Told(NamedTuple):
    """What a boot said of itself in its last heartbeat, and what of it was accepted as lost."""

    low: int = 0
    last_acked: int = 0
    counted_to: int = 0
    void: Ranges = Ranges()
    accepted: Ranges = Ranges()
    accepted_events: int = 0

    def counts(self, seq: int) -> bool:
        """Whether the events of a number are among those that the boot has counted."""
        return seq <= self.counted_to and not any(seq in part for part in self.void)


class Kept(NamedTuple):
    """What the database has of a boot. ``batches``: events by number, of those not folded."""

    stored: Ranges
    folded: int
    uncounted: int
    batches: dict[int, int]
    outcomes: int


class Missing(msgspec.Struct, frozen=True):
    """Acknowledged numbers of a boot that are nowhere, as (first, last), or what else is wrong."""

    boot: str
    numbers: tuple[Span, ...]
    events: int | None
    why: str


class SiteSums(msgspec.Struct, frozen=True):
    """Events of a site. ``under_way``: spooled, in flight (also those that wait for their day's
    rows), set aside unopened, or lost."""

    site: str
    received: int
    stored: int
    duplicate: int
    dropped: dict[str, int]
    quarantined: int
    under_way: int


class EdgeSums(msgspec.Struct, frozen=True):
    """Events of an edge, as of its last heartbeat and newer where something newer was seen."""

    edge: str
    last_heard: str | None
    received: int
    stored: int
    duplicate: int
    dropped: dict[str, int]
    quarantined: int
    in_flight: int
    spooled: int
    accepted_lost: int
    missing: tuple[Missing, ...]
    sites: tuple[SiteSums, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


class BootSums(NamedTuple):
    """Events of a boot that only numbers tell of. ``aside`` and ``discarded``: in entries set
    aside whole, held and discarded since."""

    received: int
    in_flight: int
    aside: int
    discarded: int
    spooled: int
    accepted_lost: int
    missing: tuple[Missing, ...]


def read_edge(connection: Connection[Any], redis: Redis, edge: str) -> EdgeSums:
    """The equation of one edge, on an autocommit connection. Raises psycopg.Error, RedisError."""
    for _ in range(_TRIES):
        told, counted, heard = _read_told(connection, edge)
        waiting = _read_stream(redis, edge)
        kept, outcomes, asides, discarded = _read_kept(connection, edge)
        if not any(_is_ahead(kept[boot].stored, told.get(boot, Told())) for boot in kept):
            break
    boots = [
        balance(
            boot,
            told.get(boot, Told()),
            sum(n for (b, _, what), n in counted.items() if (b, what) == (boot, RECEIVED)),
            kept.get(boot, Kept(Ranges(), 0, 0, {}, 0)),
            {h.seq: h.n for h in waiting if h.boot == boot},
            {h.seq: h.n for h in asides if h.boot == boot},
            {h.seq: h.n for h in discarded if h.boot == boot},
        )
        for boot in sorted({*told, *kept, *(h.boot for h in (*waiting, *asides, *discarded))})
    ]
    return _sum_up(edge, heard, boots, counted, outcomes)


def balance(
    boot: int,
    told: Told,
    received: int,
    kept: Kept,
    waiting: dict[int, int],
    asides: dict[int, int],
    discarded: dict[int, int],
) -> BootSums:
    """One boot. ``waiting``, ``asides`` and ``discarded``: events by number, in the stream, set
    aside whole, and let go of since."""
    asides = {seq: n for seq, n in asides.items() if not _is_stored(kept, seq)}
    discarded = {
        seq: n for seq, n in discarded.items() if seq not in asides and not _is_stored(kept, seq)
    }
    unproven = {**asides, **discarded}
    waiting = {
        seq: n for seq, n in waiting.items() if seq not in unproven and not _is_stored(kept, seq)
    }
    beside = [*kept.batches.items(), *waiting.items(), *unproven.items()]
    newer = kept.uncounted + sum(n for seq, n in beside if not told.counts(seq))
    found = kept.folded + sum(n for _, n in beside)
    known = [*spans(kept.stored), *spans(told.void), *((seq, seq) for seq, _ in beside)]
    held = gaps(known, told.low + 1, told.last_acked)
    rest = received + newer - found
    accepted = _accepted(told, known, rest)
    rest -= accepted
    excused = [*known, *spans(told.accepted)]
    aside, let_go = sum(asides.values()), sum(discarded.values())
    if any(map(told.counts, unproven)) and not gaps(excused, 1, told.low):
        aside, let_go = _corrected(aside, let_go, _over(rest, held), is_held=bool(asides))
        rest -= aside + let_go - sum(unproven.values())
    missing = _missing(f"{boot:012x}", told, excused, rest, held, kept)
    spooled = max(rest, 0) if held else 0
    sums = (received + newer, sum(waiting.values()), aside, let_go)
    return BootSums(*sums, spooled, accepted, tuple(missing))


def _over(rest: int, held: list[Span]) -> int:
    """By how much the plain headers of entries set aside say too little of their events. Nobody has
    proven them, so the edge's own count stands: nothing is left where it holds no number, and one
    event at least for each number that it holds."""
    return min(rest - sum(last - first + 1 for first, last in held), 0) if held else rest


def _corrected(aside: int, discarded: int, over: int, *, is_held: bool) -> tuple[int, int]:
    """Both, with so many events more or less, of those that are still held first."""
    corrected = max(aside + over, 0) if is_held else aside
    return corrected, max(discarded + over - (corrected - aside), 0)


def _accepted(told: Told, known: list[Span], rest: int) -> int:
    """Events of the accepted numbers that are still nowhere: one may have landed after all."""
    still = any(gaps(known, first, last) for first, last in spans(told.accepted))
    return min(max(rest, 0), told.accepted_events) if still else 0


def gaps(known: Iterable[Span], first: int, last: int) -> list[Span]:
    """The numbers from first to last that are in none of the spans."""
    found: list[Span] = []
    for begin, end in sorted(known):
        if begin > last:
            break
        if begin > first:
            found.append((first, begin - 1))
        first = max(first, end + 1)
    return [*found, (first, last)] if first <= last else found


def _missing(
    boot: str, told: Told, known: list[Span], rest: int, held: list[Span], kept: Kept
) -> Iterable[Missing]:
    nowhere = tuple(gaps(known, 1, told.low))
    if nowhere:
        yield Missing(boot, nowhere, None if held else rest, NOWHERE)
    elif rest < sum(last - first + 1 for first, last in held) or (rest and not held):
        yield Missing(boot, tuple(held), rest, "the edge counted other events than are there")
    stored = kept.folded + sum(kept.batches.values())
    if stored != kept.outcomes:
        why = "the outcomes of events do not add up to the stored batches"
        yield Missing(boot, (), stored - kept.outcomes, why)


def _is_stored(kept: Kept, seq: int) -> bool:
    return seq in kept.batches or any(seq in part for part in kept.stored)


def _is_ahead(stored: Ranges, told: Told) -> bool:
    """Whether something was folded since the boot was looked at: what was told is too old then."""
    return any(last > told.low for _, last in spans(stored))


def spans(ranges: Ranges) -> list[Span]:
    """Ranges as (first, last)."""
    return [(part.lower or 0, (part.upper or 0) - 1) for part in ranges]


_Counted = Counter[tuple[int, str, str]]
"""Events by (boot, site, outcome)."""


def _read_told(
    connection: Connection[Any], edge: str
) -> tuple[dict[int, Told], _Counted, str | None]:
    with _one_look(connection):
        boots = connection.execute(_TOLD, (edge,)).fetchall()
        counts = connection.execute(_TOLD_COUNTS, (edge,)).fetchall()
        heard = connection.execute("SELECT last_heard FROM edge WHERE edge = %s", (edge,))
        [last_heard] = heard.fetchone() or (None,)
    told = {boot: Told(*rest) for boot, *rest in boots}
    counted = Counter({(boot, site, outcome): n for boot, site, outcome, n in counts})
    return told, counted, last_heard and last_heard.isoformat()


def _read_stream(redis: Redis, edge: str) -> list[Header]:
    found: list[Header] = []
    after = "-"
    while True:
        page: Any = redis.xrange(stream_key(edge), min=after, count=_PAGE)
        for _, fields in page:
            try:
                found.append(read_header(fields))
            except DamagedBatch:
                continue
        if len(page) < _PAGE:
            return found
        after = "(" + page[-1][0].decode()


def _read_kept(
    connection: Connection[Any], edge: str
) -> tuple[dict[int, Kept], _Counted, list[Header], list[Header]]:
    batches: dict[int, dict[int, int]] = defaultdict(dict)
    with _one_look(connection):
        folded = connection.execute(_FOLDED, (edge,)).fetchall()
        for boot, seq, n in connection.execute(_BATCHES, (edge,)):
            batches[boot][seq] = n
        counts = connection.execute(_COUNTS, (edge,)).fetchall()
        asides = read_asides(connection, edge, are_discarded=False)
        discarded = read_asides(connection, edge, are_discarded=True)
    outcomes = Counter({(boot, site, outcome): n for boot, site, outcome, n in counts})
    decided: Counter[int] = Counter()
    for (boot, _, _), n in outcomes.items():
        decided[boot] += n
    nothing: tuple[Ranges, int, int] = (Ranges(), 0, 0)
    ranges = {boot: (stored, events, newer) for boot, stored, events, newer in folded}
    kept = {
        boot: Kept(*ranges.get(boot, nothing), batches.get(boot, {}), decided[boot])
        for boot in {*ranges, *batches, *decided}
    }
    return kept, outcomes, asides, discarded


def _one_look(connection: Connection[Any]) -> Any:
    connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    return connection.transaction()


def _sum_up(
    edge: str, heard: str | None, boots: list[BootSums], counted: _Counted, outcomes: _Counted
) -> EdgeSums:
    told, ours = _by_outcome(counted), _by_outcome(outcomes)
    at_edge, by_us = _reasons(told), _reasons(ours)
    by_us[DISCARDED] += sum(boot.discarded for boot in boots)
    sites = sorted({site for _, site, _ in [*counted, *outcomes]})
    return EdgeSums(
        edge=edge,
        last_heard=heard,
        received=sum(boot.received for boot in boots) + sum(at_edge.values()),
        stored=ours[STORED],
        duplicate=ours[DUPLICATE],
        dropped=dict(sorted((at_edge + by_us).items())),
        quarantined=ours[QUARANTINED] + sum(boot.aside for boot in boots),
        in_flight=sum(boot.in_flight for boot in boots) + ours[WAITING],
        spooled=sum(boot.spooled for boot in boots),
        accepted_lost=sum(boot.accepted_lost for boot in boots),
        missing=tuple(one for boot in boots for one in boot.missing),
        sites=tuple(_sum_site(site, counted, outcomes) for site in sites),
    )


def _sum_site(site: str, counted: _Counted, outcomes: _Counted) -> SiteSums:
    told = _by_outcome({key: n for key, n in counted.items() if key[1] == site})
    ours = _by_outcome({key: n for key, n in outcomes.items() if key[1] == site})
    waiting = ours.pop(WAITING, 0)
    under_way = max(0, told[RECEIVED] - ours.total() - waiting) + waiting
    return SiteSums(
        site=site,
        received=ours.total() + under_way + _reasons(told).total(),
        stored=ours[STORED],
        duplicate=ours[DUPLICATE],
        dropped=dict(sorted((_reasons(told) + _reasons(ours)).items())),
        quarantined=ours[QUARANTINED],
        under_way=under_way,
    )


def _by_outcome(counts: dict[tuple[int, str, str], int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, _, outcome), n in counts.items():
        found[outcome] += n
    return found


def _reasons(counts: Counter[str]) -> Counter[str]:
    return Counter(
        {name.removeprefix(DROPPED): n for name, n in counts.items() if name.startswith(DROPPED)}
    )
