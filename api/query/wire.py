"""What a question and its answer look like on the wire: Plausible's Stats API v2."""

from typing import Any

import msgspec


class Include(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What else the answer's ``meta`` shall hold."""

    time_labels: bool = False
    total_rows: bool = False
    imports: bool = False


class Pagination(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows ``offset`` to ``offset + limit`` of the answer."""

    limit: int = 10_000
    offset: int = 0


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``date_range``: a name, or two dates or instants. ``filters``: ``[operator, dimension,
    values, {"case_sensitive": …}?]``, nested by ``and``, ``or`` and ``not``. ``order_by``:
    ``[metric or dimension, "asc" or "desc"]``."""

    site_id: str
    metrics: list[str]
    date_range: str | list[str]
    dimensions: list[str] = []
    filters: list[Any] = []
    order_by: list[Any] | None = None
    include: Include = Include()
    pagination: Pagination = Pagination()


class Row(msgspec.Struct, frozen=True):
    """Values in the order of the question's metrics and dimensions."""

    metrics: list[int | float]
    dimensions: list[str]


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """``as_of``: the settled commit that the answer holds for. ``sources``: where it comes from.
    ``salted_anew``: days of which a part came when their salt was gone, so that a visitor of that
    part counts once more."""

    as_of: int
    sources: list[str]
    salted_anew: list[str] | msgspec.UnsetType = msgspec.UNSET
    time_labels: list[str] | msgspec.UnsetType = msgspec.UNSET
    total_rows: int | msgspec.UnsetType = msgspec.UNSET


class Asked(msgspec.Struct, frozen=True):
    """The question as it was understood."""

    site_id: str
    metrics: list[str]
    date_range: list[str]
    dimensions: list[str]
    filters: list[Any]
    order_by: list[tuple[str, str]]
    include: Include
    pagination: Pagination


class Answer(msgspec.Struct, frozen=True):
    """Rows, what they stand on, and what was asked."""

    results: list[Row]
    meta: Meta
    query: Asked
