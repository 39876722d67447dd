"""One row of the route table, and how a request goes through it."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.auth import check_origin, identify, require
from api.call import Call, Parts
from api.wire import json_response, read_json
from shared.errors import Code

Answer = Callable[[Call, Any], Awaitable[Any]]
"""Gets the call and the decoded body (None without one); gives a value to encode, or a Response."""


class Endpoint(NamedTuple):
    """``scope``: what a key needs (None: anyone may call); ``takes`` and ``gives``: msgspec types
    of the bodies; ``fault``: the code of a wrong value in the body; ``asks``: names in the query
    string, none of them required."""

    method: str
    path: str
    answer: Answer
    summary: str
    scope: str | None
    takes: Any = None
    gives: Any = None
    status: int = 200
    fault: Code | None = None
    asks: tuple[str, ...] = ()

    def route(self) -> Route:
        """As Starlette wants it."""

        async def respond(request: Request) -> Response:
            return await self.respond(request)

        return Route(self.path, respond, methods=[self.method])

    async def respond(self, request: Request) -> Response:
        """Origin, caller, body, answer: in this order. Raises Refusal."""
        parts: Parts = request.app.state.parts
        check_origin(request, parts.settings)
        now = parts.now()
        caller = await identify(request, parts, now)
        require(caller, self.scope)
        body = await read_json(request, self.takes, self.fault) if self.takes else None
        value = await self.answer(Call(request, parts, caller, now), body)
        if isinstance(value, Response):
            return value
        return Response(status_code=204) if value is None else json_response(value, self.status)
