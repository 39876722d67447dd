"""Patterns of robots, of a site and of the installation."""

import msgspec

from api.bot_patterns import BotPattern, Verdict, end_pattern, judge, put_pattern, read_patterns
from api.call import Call
from shared.beacon import MAX_USER_AGENT, longer
from shared.bots import Kind, Pattern, is_address
from shared.errors import Code, Refusal


class NewPattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``kind``: user_agent, a regular expression of RE2 that is sought without regard to case, or
    network, such as 192.0.2.0/24. ``allows``: what matches is no robot."""

    name: str
    pattern: str
    kind: str = Kind.USER_AGENT.value
    allows: bool = False


class Sender(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who might send an event."""

    user_agent: str
    ip: str = ""


class ShownPatterns(msgspec.Struct, frozen=True):
    """In the order in which they are asked, those that have ended too."""

    patterns: tuple[BotPattern, ...]


async def list_bots(call: Call, _: None) -> ShownPatterns:
    """Raises Refusal."""
    site_id = await _whose(call)
    async with call.parts.pool.connect() as db:
        return ShownPatterns(tuple(await read_patterns(db, site_id, past=True)))


async def add_bot(call: Call, body: NewPattern) -> BotPattern:
    """Raises Refusal."""
    site_id = await _whose(call)
    pattern = Pattern(body.name, body.kind, body.pattern, body.allows)
    async with call.parts.pool.begin() as db:
        return await put_pattern(db, site_id, pattern, call.now)


async def end_bot(call: Call, _: None) -> None:
    """Raises Refusal."""
    site_id = await _whose(call)
    text = call.request.path_params["id"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refusal(Code.NOT_FOUND, f"there is no pattern {text!r}")
    async with call.parts.pool.begin() as db:
        await end_pattern(db, site_id, int(text), call.now)


async def try_bot(call: Call, body: Sender) -> Verdict:
    """Raises Refusal."""
    site_id = await _whose(call)
    if longer(body.user_agent, MAX_USER_AGENT):
        raise Refusal(
            Code.TOO_LONG, f"`user_agent` is over {MAX_USER_AGENT} bytes", field="user_agent"
        )
    if body.ip and not is_address(body.ip):
        raise Refusal(Code.BAD_VALUE, "`ip` is not an address", field="ip")
    async with call.parts.pool.connect() as db:
        return await judge(db, site_id, body.user_agent, body.ip)


async def list_site_bots(call: Call, _: None) -> ShownPatterns:
    """Raises Refusal."""
    return await list_bots(call, None)


async def add_site_bot(call: Call, body: NewPattern) -> BotPattern:
    """Raises Refusal."""
    return await add_bot(call, body)


async def end_site_bot(call: Call, _: None) -> None:
    """Raises Refusal."""
    await end_bot(call, None)


async def try_site_bot(call: Call, body: Sender) -> Verdict:
    """Raises Refusal."""
    return await try_bot(call, body)


async def _whose(call: Call) -> int | None:
    """The site of the path; without one the whole installation's, for who may see every site."""
    key = call.request.path_params.get("key")
    if key is None:
        call.require_every_site()
        return None
    return (await call.site_to_query(key)).site_id
