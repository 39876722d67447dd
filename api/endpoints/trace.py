"""Where one event is."""

from uuid import UUID

from api.call import Call
from api.trace import Trace, trace
from shared.errors import Code, Refusal


async def trace_event(call: Call, _: None) -> Trace:
    """By the receipt that the client was given."""
    event_id = read_receipt(call.request.path_params["receipt"])
    async with call.parts.pool.connect() as db:
        folder = call.parts.settings.archive_folder
        return await trace(db, event_id, folder, call.bound_site_id())


def read_receipt(text: str) -> UUID:
    """Raises Refusal for what is no UUID."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Refusal(Code.BAD_VALUE, "a receipt is a UUID", field="receipt") from error
