"""The visitor id: good for one site and one site-local day."""

from collections.abc import Sequence
from hashlib import blake2b
from struct import Struct

from writer.draft import Draft

_INT8 = Struct(">q")


def visitor_id(ip: str, user_agent: str, site_id: int, salt: bytes) -> int:
    """A signed 64-bit keyed hash; without the salt nobody can compute or test it."""
    return _visitor_id(_keyed(salt), ip, user_agent, site_id)


def _keyed(salt: bytes) -> blake2b:
    return blake2b(digest_size=8, key=salt)


def _visitor_id(keyed: blake2b, ip: str, user_agent: str, site_id: int) -> int:
    hashed = keyed.copy()
    hashed.update(f"{site_id} {ip} {user_agent}".encode())
    found: int = _INT8.unpack(hashed.digest())[0]
    return found


def add_visitor(drafts: Sequence[Draft]) -> None:
    """Add the id; an event without an address has no visitor."""
    # For one call only: nothing but the salt book may remember a salt.
    keyed: dict[bytes, blake2b] = {}
    for draft in drafts:
        salt = draft.when.salt
        if salt is None or not draft.ip:
            continue
        if salt not in keyed:
            keyed[salt] = _keyed(salt)
        draft.visitor = _visitor_id(keyed[salt], draft.ip, draft.user_agent, draft.site_id)
