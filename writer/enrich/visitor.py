"""The visitor id: good for one site and one site-local day."""

from hashlib import blake2b

from msgspec.structs import replace

from writer.draft import Draft


def visitor_id(ip: str, user_agent: str, site_id: int, salt: bytes) -> int:
    """A signed 64-bit keyed hash; without the salt nobody can compute or test it."""
    text = f"{site_id} {ip} {user_agent}".encode()
    return int.from_bytes(blake2b(text, digest_size=8, key=salt).digest(), signed=True)


def add_visitor(draft: Draft) -> Draft:
    """Add the id; an event without an address has no visitor."""
    if draft.salt is None or not draft.ip:
        return draft
    found = visitor_id(draft.ip, draft.user_agent, draft.site_id, draft.salt)
    return replace(draft, visitor=found)
