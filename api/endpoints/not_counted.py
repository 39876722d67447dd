"""What is in no number."""

from api.call import Call
from api.endpoints.query import measured
from api.not_counted import NotCounted, NotCountedQuestion, read_not_counted
from api.presence import while_present


async def answer_not_counted(call: Call, body: NotCountedQuestion) -> NotCounted:
    """Raises Refusal, and ClientDisconnect when nobody waits for the answer any longer."""
    with measured():
        return await while_present(call.request, _answer(call, body))


async def _answer(call: Call, body: NotCountedQuestion) -> NotCounted:
    found = await call.site_to_query(body.site_id)
    async with call.connect_to_query() as db:
        timeout_s = call.parts.settings.api_query_timeout_s
        archive = call.parts.archive
        return await read_not_counted(db, found, body, call.now, timeout_s, archive)
