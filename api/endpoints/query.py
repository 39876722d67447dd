"""Numbers."""

import time

from api.call import Call
from api.query.answer import answer
from api.query.wire import Answer, Question
from shared.errors import Refusal
from shared.metrics import API_QUERIES, API_QUERY_SECONDS


async def answer_query(call: Call, body: Question) -> Answer:
    """Raises Refusal."""
    began, status = time.perf_counter(), 500
    try:
        found = await call.site_to_query(body.site_id)
        async with call.parts.pool.connect() as db:
            given = await answer(db, found, body, call.now, call.parts.settings.api_query_timeout_s)
        status = 200
        return given
    except Refusal as refusal:
        status = refusal.status
        raise
    finally:
        API_QUERIES.labels(status).inc()
        API_QUERY_SECONDS.observe(time.perf_counter() - began)
