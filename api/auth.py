"""Who asks: an owner's cookie or a bearer key; and from which page."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from api.call import Caller, Parts, may
from api.keys import find_key
from api.sessions import find_session
from shared.errors import Code, Refusal
from shared.settings import ApiSettings

COOKIE = "millrace_session"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def identify(request: Request, parts: Parts, now: datetime) -> Caller:
    """Whoever the request shows to be. A bearer key goes before a cookie; a key that does not
    work is refused rather than passed over. Raises Refusal."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return await _by_key(authorization, parts)
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    async with parts.pool.connect() as db:
        return await find_session(db, token, now)


def require(caller: Caller, scope: str | None) -> None:
    """Raises Refusal unless the caller may do what needs the scope; None: anyone may."""
    if scope is None or may(caller, scope):
        return
    if caller is None:
        raise Refusal(
            Code.UNAUTHENTICATED, "sign in, or send `Authorization: Bearer` with an API key"
        )
    raise Refusal(Code.FORBIDDEN, f"this key lacks the scope `{scope}`")


def check_origin(request: Request, settings: ApiSettings) -> None:
    """Another site's page must not act with an owner's cookie. Raises Refusal.

    A request that changes something and carries the cookie needs the dashboard's Origin; one
    without a cookie, such as curl's, may leave the Origin out.
    """
    if request.method in _SAFE or "authorization" in request.headers:
        return
    origin = request.headers.get("origin")
    if origin is None and COOKIE not in request.cookies:
        return
    expected = origin_of(settings.api_url)
    if origin != expected:
        raise Refusal(
            Code.FORBIDDEN_ORIGIN,
            f"open the dashboard at {expected}: requests from other addresses are refused",
        )


def put_cookie(response: Response, settings: ApiSettings, token: str, max_age_s: int) -> None:
    """Set or, with ``max_age_s`` 0, take away the sign-in of this browser."""
    attributes: dict[str, Any] = {"httponly": True, "samesite": "strict", "path": "/"}
    secure = settings.api_url.startswith("https://")
    response.set_cookie(COOKIE, token, max_age=max_age_s, secure=secure, **attributes)


def origin_of(url: str) -> str:
    """``scheme://host[:port]`` of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def _by_key(authorization: str, parts: Parts) -> Caller:
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Refusal(Code.UNAUTHENTICATED, "write `Authorization: Bearer` and the key")
    async with parts.pool.connect() as db:
        found = await find_key(db, key.strip())
    if found is None:
        raise Refusal(Code.UNAUTHENTICATED, "there is no such key, or it was revoked")
    return found
