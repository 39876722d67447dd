"""Numbers for people with curl: one metric, one range, JSON or CSV, and a tag to ask again with.

Each is a question to the query engine like any other; nothing is counted in a second way.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from starlette.responses import Response

from api.cached import cached, dated, make_tag, not_modified, read_basis, still_holds
from api.call import Call
from api.csv_answer import say_basis
from api.csv_table import Cell, csv_response, prefers_csv, table
from api.endpoints.query import limits, measured
from api.presence import while_present
from api.query.answer import answer
from api.query.wire import Answer, Meta, Question
from api.simple import Asked, by_day, by_page, of_query_string, read_asked, read_site_key
from api.sites import Site
from api.wire import json_response
from shared.errors import Refusal


class _Head(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from", "until": "to"}):
    """``from`` and ``to``: first and last second of the range."""

    site_id: str
    since: str
    until: str
    meta: Meta


class DayOfPageviews(msgspec.Struct, frozen=True):
    """``day`` is the site's own."""

    day: str
    pageviews: int


class DayOfUsers(msgspec.Struct, frozen=True):
    """Visitors of one day; on the next they count anew."""

    day: str
    unique_users: int


class TopPage(msgspec.Struct, frozen=True):
    """One page, and who was there."""

    page: str
    pageviews: int
    unique_users: int


class Pageviews(_Head, frozen=True, kw_only=True):
    """``pageviews`` of the whole range; ``days``: the last ``limit`` of it."""

    pageviews: int
    days: list[DayOfPageviews]


class UniqueUsers(_Head, frozen=True, kw_only=True):
    """``unique_users`` of the whole range; ``days``: the last ``limit`` of it."""

    unique_users: int
    days: list[DayOfUsers]


class TopPages(_Head, frozen=True, kw_only=True):
    """The pages looked at most, the most first."""

    pages: list[TopPage]


class _Shown(NamedTuple):
    """An answer as JSON, and as the lines of a table."""

    value: Pageviews | UniqueUsers | TopPages
    names: Sequence[str]
    rows: Sequence[Sequence[Cell]]


async def show_pageviews(call: Call, _: None) -> Response:
    """Raises Refusal."""

    def show(given: Answer, asked: Asked) -> _Shown:
        total, last = _total_and_last(given, asked)
        days = [DayOfPageviews(*day) for day in last]
        value = Pageviews(**_head(given), pageviews=total, days=days)
        return _Shown(value, ("day", "pageviews"), last)

    return await _respond(call, "pageviews", _question_by_day("pageviews"), show)


async def show_unique_users(call: Call, _: None) -> Response:
    """Raises Refusal."""

    def show(given: Answer, asked: Asked) -> _Shown:
        total, last = _total_and_last(given, asked)
        days = [DayOfUsers(*day) for day in last]
        value = UniqueUsers(**_head(given), unique_users=total, days=days)
        return _Shown(value, ("day", "unique_users"), last)

    return await _respond(call, "unique-users", _question_by_day("visitors"), show)


async def show_top_pages(call: Call, _: None) -> Response:
    """Raises Refusal."""

    def show(given: Answer, _asked: Asked) -> _Shown:
        pages = [
            (row.dimensions[0], _whole(row.metrics[0]), _whole(row.metrics[1]))
            for row in given.results
        ]
        value = TopPages(**_head(given), pages=[TopPage(*page) for page in pages])
        return _Shown(value, ("page", "pageviews", "unique_users"), pages)

    return await _respond(call, "top-pages", by_page, show)


def _question_by_day(metric: str) -> Callable[[Site, Asked], Question]:
    return lambda found, asked: by_day(found, asked, metric)


async def _respond(
    call: Call,
    name: str,
    make_question: Callable[[Site, Asked], Question],
    show: Callable[[Answer, Asked], _Shown],
) -> Response:
    given = call.request.query_params
    found = await call.site_to_query(read_site_key(given))
    asked = read_asked(given, found, call.now)
    is_csv = prefers_csv(call.request) if asked.is_csv is None else asked.is_csv
    question = make_question(found, asked)
    async with call.connect_to_query() as db:
        basis = await read_basis(db, found)
        tag = make_tag(basis, question, asked.limit, is_csv)
        if still_holds(call.request, tag):
            return not_modified(tag)
        await db.rollback()
        counting = answer(db, found, question, call.now, *limits(call))
        try:
            with measured():
                counted = await while_present(call.request, counting)
        except Refusal as refusal:
            raise of_query_string(refusal) from None
        basis = basis._replace(as_of=await dated(db, counted.meta.as_of))
    tag = make_tag(basis, question, asked.limit, is_csv)
    shown = show(counted, asked)
    if not is_csv:
        return cached(json_response(shown.value), tag)
    written = csv_response(f"{found.key}-{name}", table(shown.names, shown.rows))
    return cached(say_basis(written, counted), tag)


def _total_and_last(given: Answer, asked: Asked) -> tuple[int, list[tuple[str, int]]]:
    """Of the whole range, and the days that are shown."""
    days = _days(given)
    return sum(number for _, number in days), days[-(asked.limit or len(days)) :]


def _days(given: Answer) -> list[tuple[str, int]]:
    """Every day of the range; where nothing was, 0."""
    counted = {row.dimensions[0]: _whole(row.metrics[0]) for row in given.results}
    labels = given.meta.time_labels
    assert labels is not msgspec.UNSET
    return [(label, counted.get(label, 0)) for label in labels]


def _head(given: Answer) -> dict[str, Any]:
    since, until = given.query.date_range
    meta = msgspec.structs.replace(given.meta, time_labels=msgspec.UNSET)
    return {"site_id": given.query.site_id, "since": since, "until": until, "meta": meta}


def _whole(value: Any) -> int:
    return int(value)
