"""Goals: an event counts under every one that it matches."""

import msgspec

from api.query.filters import AllOf


class Goal(msgspec.Struct, frozen=True):
    """An event that the filters hold for has reached it. ``column``: of the chosen events that
    says so."""

    name: str
    tree: AllOf
    column: str
