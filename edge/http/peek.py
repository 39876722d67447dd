"""A quick look at whose a body is, for a worker that has no time to judge all it is sent."""

import msgspec


class _Named(msgspec.Struct):
    site: str


_one = msgspec.json.Decoder(_Named)
_many = msgspec.json.Decoder(list[_Named])


def site_named_in(body: bytes) -> str | None:
    """The one site that every event of a body names; None where only judging the body can tell."""
    try:
        named = _many.decode(body) if body.lstrip()[:1] == b"[" else [_one.decode(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    names = {each.site for each in named}
    return names.pop() if len(names) == 1 else None
