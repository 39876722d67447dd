"""What the made-up site has seen before the demo began: the same for a day at every start."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from math import pi, sin
from random import Random
from uuid import UUID

import msgspec

from infrastructure.traffic.countries import COUNTRIES, wakefulness
from infrastructure.traffic.sources import Source
from infrastructure.traffic.visit import Planned, Purchase, Visitor, new_visitor, plan_visit
from infrastructure.traffic.weighted import pick
from shared.receipt import derived

DAYS = 60
"""Whole days before today: a month, and the month that it is compared with. Today's hours until
now come on top."""
EVENTS_A_DAY = 1_200
"""On a middling day."""

_EVENTS_A_VISIT = 2.95
_WEEKDAYS = (1.08, 1.12, 1.06, 1.02, 0.94, 0.72, 0.80)
_RETURNS = 0.12
_LOUD_DAY = 17
"""Of the month of thirty days that `date.toordinal` counts on: one in any window of 30."""
_LOUDNESS = {_LOUD_DAY: 1.0, _LOUD_DAY + 1: 0.35, _LOUD_DAY + 2: 0.12}
_LOUDEST = (1.6, 3.0)
"""Visits that an article brings beside the day's own, as a multiple of these: not each month's is
read as much."""
_LOUD = (
    (6, Source("https://news.ycombinator.com/", landing=("/blog/how-we-count",))),
    (2, Source("https://lobste.rs/", landing=("/blog/how-we-count",))),
    (2, Source("https://www.reddit.com/", landing=("/blog/how-we-count",))),
    (3, Source("", landing=("/blog/how-we-count",))),
)


class PastEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One keyed event of the ingest contract. ``ts``: epoch ms. ``ip`` tells the country and the
    visitor, and is stored nowhere."""

    site: str
    id: UUID
    ts: int
    url: str
    title: str
    width: int
    ip: str
    user_agent: str
    name: str = "pageview"
    referrer: str = ""
    props: dict[str, str] = {}
    revenue: Purchase | None = None

    @property
    def event_id(self) -> UUID:
        """What it is stored under."""
        return UUID(int=derived(self.site, self.id))


def days_until(now: datetime) -> list[date]:
    """The UTC days of the history, today the last. One more than `DAYS`, for zones ahead of UTC
    have whole days that begin in it."""
    today = now.astimezone(UTC).date()
    return [today - timedelta(days=ago) for ago in range(DAYS + 1, -1, -1)]


def events_of(day: date, site: str, events_a_day: int = EVENTS_A_DAY) -> list[PastEvent]:
    """Everything that happened on a UTC day, in order of time."""
    rng = Random(f"{site} {day} {events_a_day}")  # noqa: S311
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    events = [
        _past(rng, planned, begins)
        for visit in _visits(rng, day, site, events_a_day)
        for planned in visit
        if planned.at_s < 86_400
    ]
    return sorted(events, key=lambda event: (event.ts, event.id))


def _visits(rng: Random, day: date, site: str, events_a_day: int) -> Iterator[list[Planned]]:
    visits = events_a_day / _EVENTS_A_VISIT * _WEEKDAYS[day.weekday()] * _season(rng, day)
    yield from _day_of_visits(rng, site, round(visits), None)
    yield from _day_of_visits(rng, site, round(visits * _loudness(day)), _LOUD)


def _loudness(day: date) -> float:
    month, number = divmod(day.toordinal(), 30)
    return _LOUDNESS.get(number, 0.0) * Random(month).uniform(*_LOUDEST)  # noqa: S311


def _season(rng: Random, day: date) -> float:
    """Slow swings over some weeks, and each day's own luck."""
    return (1 + 0.1 * sin(2 * pi * day.toordinal() / 23)) * rng.uniform(0.94, 1.06)


def _day_of_visits(
    rng: Random, site: str, visits: int, sources: tuple[tuple[float, Source], ...] | None
) -> Iterator[list[Planned]]:
    hours = rng.choices(range(24), [_busyness(hour) for hour in range(24)], k=visits)
    known: list[Visitor] = []
    for hour in sorted(hours):
        if known and rng.random() < _RETURNS:
            visitor = rng.choice(known)
        else:
            visitor = new_visitor(rng, hour)
            known.append(visitor)
        source = pick(rng, sources) if sources else None
        yield plan_visit(rng, site, visitor, (hour + rng.random()) * 3_600, source)


def _busyness(utc_hour: int) -> float:
    """How many of the visitors' countries are awake."""
    return sum(each.share * wakefulness(utc_hour + each.ahead_h) for each in COUNTRIES)


def _past(rng: Random, planned: Planned, begins: float) -> PastEvent:
    visitor, event = planned.visitor, planned.event
    return PastEvent(
        id=UUID(int=rng.getrandbits(128), version=4),
        ts=round((begins + planned.at_s) * 1_000),
        ip=visitor.address,
        user_agent=visitor.user_agent,
        **{name: getattr(event, name) for name in event.__struct_fields__},
    )
