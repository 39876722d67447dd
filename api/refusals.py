"""Whatever goes wrong, told in the one shape of error."""

import logging
from collections.abc import Mapping
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api.wire import refusal_response
from shared.errors import Code, Refusal

_LOG = logging.getLogger("api")
_RETRY_AFTER_S = 2
CLIENT_GONE = 499
"""As proxies count a client that did not wait."""

_CODES = {404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED, 413: Code.TOO_LARGE}


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return refusal_response(error)


async def http_error(_: Request, error: Exception) -> Response:
    """What Starlette itself refuses."""
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, Code.BAD_VALUE)
    response = refusal_response(Refusal(code, error.detail))
    response.headers.update(error.headers or {})
    return response


async def _database_error(request: Request, error: Exception) -> Response:
    if isinstance(error, PoolTimeout) or _is_out_of_reach(error):
        _LOG.warning("the database does not answer: %s", type(error).__name__)
        return refusal_response(
            Refusal(
                Code.UNAVAILABLE, "the database does not answer now", retry_after_s=_RETRY_AFTER_S
            )
        )
    return await _surprise(request, error)


async def _surprise(request: Request, error: Exception) -> Response:
    _LOG.error("%s %r failed", request.method, request.url.path, exc_info=error)
    return refusal_response(Refusal(Code.INTERNAL, "this is a fault of Millrace's; see its log"))


async def _gone(_: Request, __: Exception) -> Response:
    """Nobody reads it."""
    return Response(status_code=CLIENT_GONE)


def _is_out_of_reach(error: Exception) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, psycopg.OperationalError)


HANDLERS: Mapping[Any, Any] = {
    ClientDisconnect: _gone,
    Refusal: _refused,
    HTTPException: http_error,
    DBAPIError: _database_error,
    PoolTimeout: _database_error,
    psycopg.Error: _database_error,
    Exception: _surprise,
}
