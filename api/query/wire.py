"""What a question and its answer look like on the wire: Plausible's Stats API v2."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec


class Mode(StrEnum):
    """Which earlier period an answer is compared with."""

    PREVIOUS_PERIOD = "previous_period"
    YEAR_OVER_YEAR = "year_over_year"
    CUSTOM = "custom"


class Comparisons(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``date_range``: two dates or instants, for ``custom`` alone. ``match_day_of_week``: the
    earlier period begins on the same day of the week."""

    mode: Mode
    date_range: list[str] | None = None
    match_day_of_week: bool = False


class Include(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What else the answer shall hold. ``imports`` is taken as clients of Plausible send it:
    imported events are events, and there are no others to include."""

    time_labels: bool = False
    total_rows: bool = False
    imports: bool = False
    comparisons: Comparisons | msgspec.UnsetType | None = msgspec.UNSET


class Pagination(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows ``offset`` to ``offset + limit`` of the answer."""

    limit: int = 10_000
    offset: int = 0


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``date_range``: a name, or two dates or instants. ``filters``: ``[operator, dimension,
    values, {"case_sensitive": …}?]``, nested by ``and``, ``or``, ``not``, ``has_done`` and
    ``has_not_done``. ``order_by``: ``[metric or dimension, "asc" or "desc"]``."""

    site_id: str
    metrics: list[str]
    date_range: str | list[str]
    dimensions: list[str] = []
    filters: list[Any] = []
    order_by: list[Any] | None = None
    include: Include = Include()
    pagination: Pagination = Pagination()


class Money(msgspec.Struct, frozen=True):
    """An amount: exact to thousandths, and as people write it."""

    currency: str
    value: float
    long: str
    short: str


Value = int | float | Money | None
"""A metric. None: there was nothing to measure."""


class Earlier(msgspec.Struct, frozen=True):
    """The same row in the period compared with. ``change``: in per cent of it, of metrics that
    are per cent themselves the difference; None where it cannot be said."""

    dimensions: list[str]
    metrics: list[Value]
    change: list[int | float | None]


class Row(msgspec.Struct, frozen=True):
    """Values in the order of the question's metrics and dimensions. ``comparison`` where it is
    asked for; None for a time that the earlier period does not have."""

    metrics: list[Value]
    dimensions: list[str]
    comparison: Earlier | msgspec.UnsetType | None = msgspec.UNSET


class MetricWarning(msgspec.Struct, frozen=True):
    """Why a metric is null in some row."""

    code: str
    warning: str


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """``as_of``: the settled commit that the answer holds for. ``sources``: where it comes from.
    ``final_until``: all that an edge received before is counted; ``is_final``: nothing in the range
    can change any more; both only where edges are registered.
    ``salted_anew``: days of which a part came when their salt was gone, so that a visitor of that
    part counts once more. ``exclusions``: names of those in force. ``missing_days``: asked about,
    and nothing is left of them that could be counted."""

    as_of: int
    sources: list[str]
    final_until: datetime | msgspec.UnsetType = msgspec.UNSET
    is_final: bool | msgspec.UnsetType = msgspec.UNSET
    salted_anew: list[str] | msgspec.UnsetType = msgspec.UNSET
    time_labels: list[str] | msgspec.UnsetType = msgspec.UNSET
    total_rows: int | msgspec.UnsetType = msgspec.UNSET
    imports_included: bool | msgspec.UnsetType = msgspec.UNSET
    imports_skip_reason: str | msgspec.UnsetType = msgspec.UNSET
    metric_warnings: dict[str, MetricWarning] | msgspec.UnsetType = msgspec.UNSET
    comparison_date_range: list[str] | msgspec.UnsetType = msgspec.UNSET
    exclusions: list[str] | msgspec.UnsetType = msgspec.UNSET
    missing_days: list[str] | msgspec.UnsetType = msgspec.UNSET


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


MAX_BATCH = 20


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Questions to be answered together, as of one commit."""

    queries: Annotated[list[Question], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class Failed(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why one question of a batch has no answer."""

    code: str
    message: str
    field: str | None = None


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one question of a batch: an answer whole, or ``error`` alone."""

    results: list[Row] | msgspec.UnsetType = msgspec.UNSET
    meta: Meta | msgspec.UnsetType = msgspec.UNSET
    query: Asked | msgspec.UnsetType = msgspec.UNSET
    error: Failed | msgspec.UnsetType = msgspec.UNSET


class BatchAnswers(msgspec.Struct, frozen=True):
    """In the order of the questions."""

    answers: list[Outcome]
