"""Numbers."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from api.call import Call
from api.csv_answer import answer_as_csv
from api.csv_table import prefers_csv
from api.presence import while_present
from api.query.answer import answer, answer_all
from api.query.archive import Archive
from api.query.wire import Answer, Batch, BatchAnswers, Failed, Outcome, Question
from api.refusals import CLIENT_GONE
from api.sites import Site
from shared.errors import Refusal
from shared.metrics import API_QUERIES, API_QUERY_SECONDS


async def answer_query(call: Call, body: Question) -> Answer | Response:
    """Raises Refusal, and ClientDisconnect when nobody waits for the answer any longer."""
    with measured():
        given = await while_present(call.request, _answer(call, body))
    return answer_as_csv(given) if prefers_csv(call.request) else given


async def _answer(call: Call, body: Question) -> Answer:
    found = await call.site_to_query(body.site_id)
    async with call.connect_to_query() as db:
        return await answer(db, found, body, call.now, *limits(call))


async def answer_batch(call: Call, body: Batch) -> BatchAnswers:
    """Raises Refusal, and ClientDisconnect when nobody waits for the answers any longer."""
    with measured():
        return await while_present(call.request, _answer_batch(call, body))


async def _answer_batch(call: Call, body: Batch) -> BatchAnswers:
    keys = dict.fromkeys(question.site_id for question in body.queries)
    sites = {key: await _find_site(call, key) for key in keys}
    pairs = [(sites[question.site_id], question) for question in body.queries]
    asked = [(found, question) for found, question in pairs if not isinstance(found, Refusal)]
    async with call.connect_to_query() as db:
        given = iter(await answer_all(db, asked, call.now, *limits(call)))
    return BatchAnswers(
        [_outcome(found if isinstance(found, Refusal) else next(given)) for found, _ in pairs]
    )


async def _find_site(call: Call, key: str) -> Site | Refusal:
    try:
        return await call.site_to_query(key)
    except Refusal as refusal:
        return refusal


def _outcome(given: Answer | Refusal) -> Outcome:
    if isinstance(given, Refusal):
        return Outcome(error=Failed(given.code, given.message, given.field))
    return Outcome(given.results, given.meta, given.query)


def limits(call: Call) -> tuple[float, Archive]:
    """How long a question may take, and the archive that it may be answered from."""
    return call.parts.settings.api_query_timeout_s, call.parts.archive


@contextmanager
def measured() -> Iterator[None]:
    """Counts a query and its time."""
    began, status = time.perf_counter(), 500
    try:
        yield
        status = 200
    except Refusal as refusal:
        status = refusal.status
        raise
    except ClientDisconnect:
        status = CLIENT_GONE
        raise
    finally:
        API_QUERIES.labels(status).inc()
        API_QUERY_SECONDS.observe(time.perf_counter() - began)
