"""The simple endpoints' query strings, as questions: a number and a range, and nothing to learn."""

from datetime import date, datetime, timedelta

import msgspec
from starlette.datastructures import QueryParams

from api.query.wire import Include, Pagination, Question
from api.sites import Site
from shared.errors import Code, Refusal

ASKS = ("site_id", "from", "to", "limit", "format")
MAX_LIMIT = 1_000
DEFAULT_PAGES = 10
FORMATS = ("json", "csv")

_DAYS = timedelta(days=29)
"""Thirty days with both ends."""
_DATE_LENGTH = len("2024-01-31")


class Asked(msgspec.Struct, frozen=True):
    """``since`` and ``until``: two days of the site's own, both included, or two instants."""

    since: str
    until: str
    limit: int | None
    is_csv: bool | None


def read_site_key(given: QueryParams) -> str:
    """Raises Refusal, also for what no simple endpoint is asked."""
    for name in given:
        if name not in ASKS:
            raise _bad(name, f"{name[:40]!r} is none of {', '.join(ASKS)}")
        if len(given.getlist(name)) > 1:
            raise _bad(name, f"`{name}` stands here twice")
    if not given.get("site_id"):
        raise Refusal(Code.MISSING_FIELD, "say of which site: `site_id`", field="site_id")
    return given["site_id"]


def read_asked(given: QueryParams, found: Site, now: datetime) -> Asked:
    """Without ``from`` and ``to`` the last thirty days, today included. Raises Refusal."""
    limit, form = given.get("limit"), given.get("format")
    if form is not None and form not in FORMATS:
        raise _bad("format", f"`format` is {' or '.join(FORMATS)}")
    since, until = _read_ends(given.get("from"), given.get("to"), found, now)
    return Asked(
        since,
        until,
        None if limit is None else _read_limit(limit),
        None if form is None else form == "csv",
    )


def by_day(found: Site, asked: Asked, metric: str) -> Question:
    """Each day's number; visitors are of one day, so that they add up."""
    return Question(
        found.key,
        [metric],
        [asked.since, asked.until],
        dimensions=["time:day"],
        include=Include(time_labels=True),
    )


def by_page(found: Site, asked: Asked) -> Question:
    """The pages looked at most."""
    return Question(
        found.key,
        ["pageviews", "visitors"],
        [asked.since, asked.until],
        dimensions=["event:page"],
        pagination=Pagination(limit=asked.limit or DEFAULT_PAGES),
    )


def of_query_string(refusal: Refusal) -> Refusal:
    """A refusal of the question, in the words of the query string."""
    if refusal.field != "date_range":
        return refusal
    message = refusal.message.replace("`date_range`", "the range")
    return Refusal(refusal.code, message, field="from")


def _read_ends(since: str | None, until: str | None, found: Site, now: datetime) -> tuple[str, str]:
    if since is not None and until is not None:
        return since, until
    zoned = now.astimezone(found.zone).replace(microsecond=0)
    if since is not None:
        return since, str(zoned.date()) if _is_date(since) else zoned.isoformat()
    if until is None:
        until = str(zoned.date())
    return _before(until), until


def _is_date(text: str) -> bool:
    return len(text) == _DATE_LENGTH


def _before(until: str) -> str:
    try:
        if _is_date(until):
            return str(date.fromisoformat(until) - _DAYS)
        return (datetime.fromisoformat(until) - _DAYS).isoformat()
    except (ValueError, OverflowError):
        raise _bad("to", "write a day, 2024-01-31, or an instant with its offset") from None


def _read_limit(text: str) -> int:
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    if not 1 <= limit <= MAX_LIMIT:
        raise _bad("limit", f"`limit` is outside 1 to {MAX_LIMIT}")
    return limit


def _bad(field: str, message: str) -> Refusal:
    return Refusal(Code.BAD_QUERY, message, field=field)
