"""Somebody says a password: compared, and how often it was wrong is counted."""

from api.call import Call
from api.owners import MAX_EMAIL, MAX_PASSWORD, find_owner, plain_email
from api.sessions import Owner
from shared.errors import Code, Refusal


async def find_by_password(call: Call, email: str, password: str) -> Owner | None:
    """Whose address and password these are. Raises Refusal where too many were wrong."""
    _check_throttles(call, email)
    _count_try(call, email)
    owner = await _check_password(call, email, password)
    if owner is not None:
        _count_success(call, email)
    return owner


async def _check_password(call: Call, email: str, password: str) -> Owner | None:
    if len(email) > MAX_EMAIL or len(password) > MAX_PASSWORD:
        return None
    async with call.parts.pool.connect() as db:
        found = await find_owner(db, email)
    owner_id, stored = found or (0, None)
    if not await call.parts.passwords.matches(stored, password):
        return None
    return Owner(owner_id, plain_email(email))


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
