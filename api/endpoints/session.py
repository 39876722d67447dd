"""Sign in, see who is signed in, sign out."""

from datetime import timedelta

import msgspec
from starlette.responses import Response

from api.auth import COOKIE, put_cookie
from api.call import Call
from api.owners import MAX_EMAIL, MAX_PASSWORD, find_owner, has_owner, plain_email
from api.sessions import Owner, close_session, open_session
from api.sign_in_links import take_sign_in_link
from api.wire import json_response, refusal_response
from shared.errors import Code, Refusal
from shared.program import PROGRAM


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who somebody says to be."""

    email: str
    password: str


class LinkToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``token``: what stands behind ``#token=`` in the link."""

    token: str


class SignedIn(msgspec.Struct, frozen=True):
    """Who is signed in. ``program``: what an operator types before a verb, on the server."""

    email: str
    program: str = PROGRAM


async def sign_in(call: Call, body: SignIn) -> Response:
    """Opens a session and sets its cookie. Raises Refusal."""
    _check_throttles(call, body.email)
    _count_try(call, body.email)
    owner = await _check_password(call, body)
    if owner is None:
        raise Refusal(Code.UNAUTHENTICATED, "the e-mail address or the password is wrong")
    _count_success(call, body.email)
    return await _open(call, owner)


async def sign_in_by_link(call: Call, body: LinkToken) -> Response:
    """Opens a session and sets its cookie; the link works no more. Raises Refusal."""
    async with call.parts.pool.begin() as db:
        owner = await take_sign_in_link(db, body.token, call.now)
    if owner is None:
        raise Refusal(
            Code.UNAUTHENTICATED, "this link was used already, or is too old", field="token"
        )
    return await _open(call, owner)


async def _open(call: Call, owner: Owner) -> Response:
    lasts = timedelta(days=call.parts.settings.api_session_days)
    async with call.parts.pool.begin() as db:
        token = await open_session(db, owner.owner_id, call.now, lasts)
    response = json_response(SignedIn(owner.email))
    put_cookie(response, call.parts.settings, token, int(lasts.total_seconds()))
    return response


async def show_session(call: Call, _: None) -> SignedIn | Response:
    """Who is signed in by cookie; where nobody is, whether anybody could be."""
    if isinstance(call.caller, Owner):
        return SignedIn(call.caller.email)
    async with call.parts.pool.connect() as db:
        more: dict[str, object] = {"has_owner": await has_owner(db)}
    if not more["has_owner"]:
        more["command"] = f"{PROGRAM} owner add you@example.com"
    return refusal_response(Refusal(Code.UNAUTHENTICATED, "nobody is signed in"), **more)


async def sign_out(call: Call, _: None) -> Response:
    """Ends the session, if there is one."""
    token = call.request.cookies.get(COOKIE)
    if token:
        async with call.parts.pool.begin() as db:
            await close_session(db, token)
    response = Response(status_code=204)
    put_cookie(response, call.parts.settings, "", 0)
    return response


async def _check_password(call: Call, body: SignIn) -> Owner | None:
    if len(body.email) > MAX_EMAIL or len(body.password) > MAX_PASSWORD:
        return None
    async with call.parts.pool.connect() as db:
        found = await find_owner(db, body.email)
    owner_id, stored = found or (0, None)
    if not await call.parts.passwords.matches(stored, body.password):
        return None
    return Owner(owner_id, plain_email(body.email))


def _check_throttles(call: Call, email: str) -> None:
    throttles = call.parts.throttles
    wait_s = max(
        throttles.both.wait_s(_both(call, email)),
        throttles.email.wait_s(_email(email)),
        throttles.address.wait_s(_address(call)),
    )
    if wait_s:
        raise Refusal(
            Code.RATE_LIMITED,
            f"too many failed sign-ins: try again in {wait_s} s",
            retry_after_s=wait_s,
        )


def _count_try(call: Call, email: str) -> None:
    throttles = call.parts.throttles
    throttles.both.count_try(_both(call, email))
    throttles.email.count_try(_email(email))
    throttles.address.count_try(_address(call))


def _count_success(call: Call, email: str) -> None:
    throttles = call.parts.throttles
    throttles.both.forget(_both(call, email))
    throttles.email.take_back(_email(email))
    throttles.address.take_back(_address(call))


def _both(call: Call, email: str) -> str:
    return f"{_address(call)} {_email(email)}"


def _email(email: str) -> str:
    return plain_email(email)[:MAX_EMAIL]


def _address(call: Call) -> str:
    return call.request.client.host if call.request.client else ""
