"""Sign in, see who is signed in, sign out."""

from datetime import timedelta

import msgspec
from starlette.responses import Response

from api.auth import COOKIE, put_cookie
from api.call import Call
from api.owners import has_owner
from api.password_tries import find_by_password
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
    owner = await find_by_password(call, body.email, body.password)
    if owner is None:
        raise Refusal(Code.UNAUTHENTICATED, "the e-mail address or the password is wrong")
    return await answer_signed_in(call, owner)


async def sign_in_by_link(call: Call, body: LinkToken) -> Response:
    """Opens a session and sets its cookie; the link works no more. Raises Refusal."""
    async with call.parts.pool.begin() as db:
        owner = await take_sign_in_link(db, body.token, call.now)
    if owner is None:
        raise Refusal(
            Code.UNAUTHENTICATED, "this link was used already, or is too old", field="token"
        )
    return await answer_signed_in(call, owner)


async def answer_signed_in(call: Call, owner: Owner) -> Response:
    """A session for this browser."""
    lasts = timedelta(days=call.parts.settings.api_session_days)
    async with call.parts.pool.begin() as db:
        token = await open_session(db, owner.owner_id, call.now, lasts)
    response = json_response(SignedIn(owner.email))
    put_cookie(response, call.parts.settings, token, int(lasts.total_seconds()))
    return response


async def show_session(call: Call, _: None) -> SignedIn | Response:
    """Who is signed in by cookie; where nobody is, whether anybody could be, and how."""
    if isinstance(call.caller, Owner):
        return SignedIn(call.caller.email)
    async with call.parts.pool.connect() as db:
        more: dict[str, object] = {"has_owner": await has_owner(db), "program": PROGRAM}
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
