"""API keys."""

import msgspec

from api.call import Call
from api.keys import KeyRow, put_key, read_keys, revoke_key
from api.sites import read_site
from shared.errors import Code, Refusal


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``site``: None is every site. ``scopes``: ingest, import, query, admin."""

    scopes: tuple[str, ...]
    site: str | None = None
    label: str = ""


class MadeKey(msgspec.Struct, frozen=True):
    """``key`` is shown this once."""

    key_id: int
    key: str


class ShownKeys(msgspec.Struct, frozen=True):
    """Oldest first, revoked ones too."""

    keys: tuple[KeyRow, ...]


async def list_keys(call: Call, _: None) -> ShownKeys:
    """Raises Refusal."""
    call.require_every_site()
    async with call.parts.pool.connect() as db:
        return ShownKeys(tuple(await read_keys(db)))


async def add_key(call: Call, body: NewKey) -> MadeKey:
    """Raises Refusal."""
    call.require_every_site()
    async with call.parts.pool.begin() as db:
        found = await read_site(db, body.site, call.now) if body.site is not None else None
        site_id = found.site_id if found else None
        return MadeKey(*await put_key(db, body.scopes, site_id, body.label))


async def drop_key(call: Call, _: None) -> None:
    """Raises Refusal."""
    call.require_every_site()
    text = call.request.path_params["key_id"]
    if not (text.isascii() and text.isdigit()):
        raise Refusal(Code.NOT_FOUND, f"there is no key {text!r}")
    async with call.parts.pool.begin() as db:
        await revoke_key(db, int(text[:12]), call.now)
