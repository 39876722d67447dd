"""An answer beside that of an earlier period."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from api.query.labels import time_labels
from api.query.parse import Query
from api.query.ranges import Days, Instants, Range, read_range
from api.query.table import Table
from api.query.vocabulary import Kind
from api.query.wire import Comparisons, Earlier, Mode, Money, Row, Value
from shared.errors import Code, Refusal

_DAY = timedelta(days=1)
_WEEK = 7

Labels = Mapping[str, str] | None
"""The earlier bucket of each bucket of time; None for a dimension that is no time."""

DIFFERENCES = ("bounce_rate", "percentage", "conversion_rate", "group_conversion_rate")
"""Metrics in per cent: their change is a difference of points, to one decimal."""


def earlier_range(wanted: Range, asked: Comparisons, zone: ZoneInfo, now: datetime) -> Range:
    """What to compare a range with. A range that is not over is compared up to today, or to now.
    Raises Refusal."""
    if asked.mode is Mode.CUSTOM:
        return _custom(asked, zone, now)
    if isinstance(wanted, Days):
        return _earlier_days(wanted, asked, now.astimezone(zone).date())
    return _earlier_instants(wanted, asked, zone, now)


def compared(query: Query, table: Table, earlier: Table, labels: Sequence[Labels]) -> list[Row]:
    """The table's rows with what they were in the earlier period. ``labels``: for each dimension
    that is a time, the earlier bucket of each: times are matched by their place in the range,
    its third day with the earlier third day."""
    before = {tuple(row.dimensions): row.metrics for row in earlier.rows}
    return [
        Row(row.metrics, row.dimensions, _earlier(query, row, before, earlier.nothing, labels))
        for row in table.rows
    ]


def partners(query: Query, earlier: Range, zone: ZoneInfo) -> list[Labels]:
    """The labels to match rows by, see ``compared``. Raises Refusal where there are too many."""
    field = "include.comparisons"
    return [
        dict(
            zip(
                time_labels(dimension.name, query.range, zone, field),
                time_labels(dimension.name, earlier, zone, field),
                strict=False,
            )
        )
        if dimension.kind is Kind.TIME
        else None
        for dimension in query.dimensions
    ]


def change(metric: str, before: Value, after: Value) -> int | float | None:
    """From before to after, as Plausible's dashboard says it."""
    if isinstance(before, Money) and isinstance(after, Money):
        if before.currency != after.currency:
            return None
        before, after = before.value, after.value
    if before is None or after is None or isinstance(before, Money) or isinstance(after, Money):
        return None
    old, new = Fraction(str(before)), Fraction(str(after))
    if metric in DIFFERENCES:
        if metric == "bounce_rate":
            return int(new - old) if old else None
        return float(round(new - old, 1))
    if old == 0:
        return 100 if new > 0 else 0
    return round(100 * (new - old) / old)


def _earlier(
    query: Query,
    row: Row,
    before: Mapping[tuple[str, ...], list[Value]],
    nothing: list[Value],
    labels: Sequence[Labels],
) -> Earlier | None:
    matched = [
        value if of_time is None else of_time.get(value)
        for value, of_time in zip(row.dimensions, labels, strict=True)
    ]
    dimensions = [value for value in matched if value is not None]
    if len(dimensions) < len(matched):
        return None
    metrics = before.get(tuple(dimensions), nothing)
    pairs = zip(query.metrics, metrics, row.metrics, strict=True)
    return Earlier(dimensions, metrics, [change(name, old, new) for name, old, new in pairs])


def _custom(asked: Comparisons, zone: ZoneInfo, now: datetime) -> Range:
    try:
        return read_range(asked.date_range or [], zone, now, None)
    except Refusal as refusal:
        field = "include.comparisons.date_range"
        raise Refusal(Code.BAD_QUERY, refusal.message, field=field) from None


def _earlier_days(wanted: Days, asked: Comparisons, today: date) -> Days:
    last = max(min(wanted.last, today), wanted.first)
    if asked.mode is Mode.YEAR_OVER_YEAR:
        earlier = Days(_a_year_before(wanted.first), _a_year_before(last))
    else:
        length = last - wanted.first + _DAY
        earlier = Days(wanted.first - length, last - length)
    if not asked.match_day_of_week:
        return earlier
    shift = _to_weekday(earlier.first, wanted.first, latest=wanted.first - (last - wanted.first))
    return Days(earlier.first + shift, earlier.last + shift)


def _earlier_instants(
    wanted: Instants, asked: Comparisons, zone: ZoneInfo, now: datetime
) -> Instants:
    until = max(min(wanted.until, now), wanted.since)
    length = until - wanted.since
    if asked.mode is Mode.YEAR_OVER_YEAR:
        since = _on_day(wanted.since, zone, _a_year_before(wanted.since.astimezone(zone).date()))
    else:
        since = wanted.since - length
    if asked.match_day_of_week:
        day, latest = since.astimezone(zone).date(), (wanted.since - length).astimezone(zone).date()
        shift = _to_weekday(day, wanted.since.astimezone(zone).date(), latest=latest + _DAY)
        since = _on_day(since, zone, day + shift)
    return Instants(since, since + length)


def _to_weekday(day: date, pattern: date, latest: date) -> timedelta:
    """To the nearest day with the weekday of the pattern, before ``latest``: an earlier period
    does not reach into the one it is compared with."""
    ahead = (pattern.weekday() - day.weekday()) % _WEEK
    if ahead == 0:
        return timedelta(0)
    reaches = day + timedelta(days=ahead) >= latest
    return timedelta(days=ahead - _WEEK if ahead > _WEEK // 2 or reaches else ahead)


def _on_day(moment: datetime, zone: ZoneInfo, day: date) -> datetime:
    """The same local time on another day."""
    local = moment.astimezone(zone)
    return local.replace(year=day.year, month=day.month, day=day.day).astimezone(moment.tzinfo)


def _a_year_before(day: date) -> date:
    """The 29 February's is the 28."""
    if (day.month, day.day) == (2, 29):
        return date(day.year - 1, 2, 28)
    return day.replace(year=day.year - 1)
