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
from api.query.answer import answer
from api.query.wire import Answer, Question
from api.refusals import CLIENT_GONE
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
        return await answer(db, found, body, call.now, call.parts.settings.api_query_timeout_s)


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
