"""The edge's HTTP face: beacons go straight to the intake, everything else through the routes."""

import logging
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from edge.http.answers import Answer, cors, preflight, refused, send_answer
from edge.http.body import Disconnected
from edge.http.incoming import Incoming, Outgoing
from edge.http.intake import Intake
from edge.http.pixel import Pixel
from edge.http.script import BUILT_CORE, Script, core_path
from shared.errors import Code, Refusal
from shared.settings import EdgeSettings

_log = logging.getLogger("edge")

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]

_CODES = {404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED}


class EdgeApp:
    """An ASGI application; beacons skip the routing for speed."""

    def __init__(self, settings: EdgeSettings, intake: Intake, lifespan: Lifespan) -> None:
        self.path = settings.edge_path
        self.head_timeout_s = settings.edge_body_timeout_s
        self.intake = intake
        max_age_s = settings.edge_script_max_age_s
        self._routes = Starlette(
            routes=[
                Route(settings.edge_path, _preflight, methods=["OPTIONS"]),
                Route(settings.edge_script_path, Script(max_age_s).serve),
                Route(core_path(settings.edge_script_path), Script(max_age_s, BUILT_CORE).serve),
                Route(settings.edge_pixel_path, Pixel(intake), methods=["GET"]),
            ],
            exception_handlers={Refusal: _refusal, HTTPException: _http_error},
            lifespan=lifespan,
        )
        self._routes.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's request."""
        if scope["type"] == "lifespan":
            await self._routes(scope, receive, send)
            return
        incoming = Incoming(receive)
        outgoing = Outgoing(send, incoming, self.head_timeout_s)
        if scope["method"] == "POST" and scope["path"] == self.path:
            await self._beacon(scope, incoming, outgoing)
        else:
            await self._other(scope, incoming, outgoing)

    async def _beacon(self, scope: Scope, incoming: Incoming, send: Send) -> None:
        try:
            answer = await self.intake.post(scope, incoming)
        except Disconnected:
            return
        except Exception as error:
            answer = surprise(error)
        await send_answer(send, answer, _origin(scope))

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._routes(scope, receive, send)
        except Exception as error:
            await send_answer(send, surprise(error), _origin(scope))


async def _preflight(request: Request) -> Response:
    return _response(preflight(), request)


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _response(refused(error), request)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, Code.NOT_FOUND)
    answer = refused(Refusal(code, "there is nothing here for that method and path"))
    response = _response(answer, request)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def _response(answer: Answer, request: Request) -> Response:
    media_type = "application/json" if answer.body else None
    response = Response(answer.body or None, answer.status, media_type=media_type)
    for name, value in (*answer.headers, *cors(_origin(request.scope))):
        response.headers[name.decode()] = value.decode("latin-1")
    return response


def _origin(scope: Scope) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == b"origin"), None)


def surprise(error: Exception) -> Answer:
    """The answer to a fault of ours."""
    # The message of an exception may hold what the client sent; where it was raised does not.
    where = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s while answering\n%s", type(error).__name__, where)
    return refused(Refusal(Code.INTERNAL, "a fault of the edge; it is logged"))
