"""Names of time buckets: the local hour, day, Monday or first of the month."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

from api.query.ranges import Days, Range
from api.zones import midnight
from shared.errors import Code, Refusal

MAX_LABELS = 50_000

_DAY = timedelta(days=1)
_HALF_HOUR = timedelta(minutes=30)
_MICROSECOND = timedelta(microseconds=1)


def label(bucket: date) -> str:
    """How a bucket is written: a datetime is an hour."""
    if isinstance(bucket, datetime):
        return bucket.strftime("%Y-%m-%d %H:00:00")
    return bucket.isoformat()


def time_labels(
    dimension: str, wanted: Range, zone: ZoneInfo, field: str = "include.time_labels"
) -> list[str]:
    """Every label of the range, in order. A repeated hour is one, a skipped one absent.
    Raises Refusal of the field where there are too many."""
    labels = dict.fromkeys(_labels(dimension, wanted, zone))
    if len(labels) > MAX_LABELS:
        raise Refusal(
            Code.BAD_QUERY,
            f"over {MAX_LABELS} labels: ask for a shorter range or for longer buckets",
            field=field,
        )
    return sorted(labels)


def _labels(dimension: str, wanted: Range, zone: ZoneInfo) -> Iterator[str]:
    if dimension == "time:hour":
        return map(label, _hours(wanted, zone))
    starts = {"time:day": _same, "time:week": _monday, "time:month": _first_of_month}
    return (label(starts[dimension](day)) for day in _days(wanted, zone))


def _hours(wanted: Range, zone: ZoneInfo) -> Iterator[datetime]:
    """Local hours that hold an instant of the range. Looked at every half hour: no local hour
    is shorter, as zones shift by 30 minutes at least."""
    if isinstance(wanted, Days):
        since, until = midnight(zone, wanted.first), midnight(zone, wanted.last + _DAY)
    else:
        since, until = wanted.since, wanted.until
    count = min(int((until - since) / _HALF_HOUR) + 1, 2 * MAX_LABELS + 4)
    moments = (since + index * _HALF_HOUR for index in range(count))
    for moment in chain((m for m in moments if m < until), (until - _MICROSECOND,)):
        yield moment.astimezone(zone).replace(minute=0, second=0, microsecond=0, tzinfo=None)


def _days(wanted: Range, zone: ZoneInfo) -> Iterator[date]:
    if isinstance(wanted, Days):
        first, last = wanted.first, wanted.last
    else:
        first = wanted.since.astimezone(zone).date()
        last = (wanted.until - _MICROSECOND).astimezone(zone).date()
    days = (first + index * _DAY for index in range((last - first).days + 1))
    return (day for day in days if _exists(day, zone))


def _exists(day: date, zone: ZoneInfo) -> bool:
    """False for a day that a zone skipped, as Samoa the 30 December 2011."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    return noon.astimezone(UTC).astimezone(zone).date() == day


def _same(day: date) -> date:
    return day


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _first_of_month(day: date) -> date:
    return day.replace(day=1)
