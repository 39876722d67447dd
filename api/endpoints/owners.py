"""Who can sign in. Only somebody who is signed in changes that: a key cannot."""

import msgspec
from starlette.responses import Response

from api.call import Call
from api.endpoints.session import SignedIn, answer_signed_in
from api.owners import OwnerRow, plain_email, put_owner, read_owners, reset_password
from api.password_tries import find_by_password
from api.sessions import Owner
from shared.errors import Code, Refusal


class ShownOwners(msgspec.Struct, frozen=True):
    """By address."""

    owners: tuple[OwnerRow, ...]


class NewOwner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``password``: 10 to 1024 characters."""

    email: str
    password: str


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``password`` is that owner's from now on; ``own_password`` is that of who asks."""

    email: str
    password: str
    own_password: str


async def list_owners(call: Call, _: None) -> ShownOwners:
    """Raises Refusal."""
    _require_owner(call)
    async with call.parts.pool.connect() as db:
        return ShownOwners(tuple(await read_owners(db)))


async def add_owner(call: Call, body: NewOwner) -> ShownOwners:
    """Raises Refusal."""
    _require_owner(call)
    async with call.parts.pool.begin() as db:
        await put_owner(db, body.email, body.password)
        return ShownOwners(tuple(await read_owners(db)))


async def change_password(call: Call, body: NewPassword) -> SignedIn | Response:
    """Every sign-in of that owner ends, but for this browser's. Raises Refusal."""
    caller = _require_owner(call)
    # A browser left open must not be enough to lock its owner out.
    if await find_by_password(call, caller.email, body.own_password) is None:
        raise Refusal(Code.BAD_VALUE, "your own password is wrong", field="own_password")
    async with call.parts.pool.begin() as db:
        await reset_password(db, body.email, body.password)
    is_own = plain_email(body.email) == caller.email
    return await answer_signed_in(call, caller) if is_own else SignedIn(caller.email)


def _require_owner(call: Call) -> Owner:
    if not isinstance(call.caller, Owner):
        raise Refusal(Code.FORBIDDEN, "sign in for this: no key may do it")
    return call.caller
