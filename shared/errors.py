"""The one shape of error for edge and API, and the closed list of its codes.

Body of every refusal: ``{"error": {"code", "message", "field"?}}``. Each code has a section of
the same name in ``infrastructure/docs/errors.md``.
"""

from enum import StrEnum
from typing import Any

import msgspec


class Code(StrEnum):
    """Why something was refused. A client may rely on these words."""

    # The request as a whole
    BAD_HTTP = "bad_http"
    HEAD_TOO_LARGE = "head_too_large"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    TOO_MANY_EVENTS = "too_many_events"
    BODY_TIMEOUT = "body_timeout"
    BAD_ENCODING = "bad_encoding"
    BAD_JSON = "bad_json"
    # One event
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    OUT_OF_RANGE = "out_of_range"
    BAD_VALUE = "bad_value"
    MIXED_SITES = "mixed_sites"
    NEEDS_KEY = "needs_key"
    # Who asks, and how often
    UNKNOWN_SITE = "unknown_site"
    FORBIDDEN_ORIGIN = "forbidden_origin"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    # The query API
    BAD_QUERY = "bad_query"
    QUERY_TIMEOUT = "query_timeout"
    CONFLICT = "conflict"
    INTERNAL = "internal"


STATUS: dict[Code, int] = {
    Code.HEAD_TOO_LARGE: 431,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.TOO_LARGE: 413,
    Code.BODY_TIMEOUT: 408,
    Code.FORBIDDEN_ORIGIN: 403,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.RATE_LIMITED: 429,
    Code.UNAVAILABLE: 503,
    Code.QUERY_TIMEOUT: 504,
    Code.CONFLICT: 409,
    Code.INTERNAL: 500,
}
"""HTTP status of each code; what is not listed is a 400."""


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one event of a request.

    ``index`` is its place in the array (0 for a single event), ``field`` the path of the faulty
    field (``props.plan``), None where no one field is to blame.
    """

    code: Code
    message: str
    index: int = 0
    field: str | None = None


class Refusal(Exception):
    """A request refused as a whole. ``retry_after_s`` becomes the Retry-After header; ``site`` is
    whose limit or rule it was, empty where it was not one site's."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        field: str | None = None,
        retry_after_s: int | None = None,
        site: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s
        self.site = site

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return STATUS.get(self.code, 400)

    def body(self, **more: Any) -> bytes:
        """The JSON body: the error, and whatever else the endpoint's answer holds."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.field is not None:
            error["field"] = self.field
        return msgspec.json.encode({"error": error, **more})
