"""The API described by itself."""

from typing import Any

from api.call import Call
from api.openapi import describe


async def describe_api(call: Call, _: None) -> dict[str, Any]:
    """OpenAPI 3.1 of every endpoint."""
    return describe(call.request.app.state.endpoints)
