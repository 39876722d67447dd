"""JSON in and out: bodies read within limits, every fault of theirs named."""

import re
from typing import Any, TypeVar

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import Code, Refusal

MAX_BODY_BYTES = 64 * 1024
BODY_TIMEOUT_S = 10.0

T = TypeVar("T")

_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_NAMED = re.compile(r"(?:required field|unknown field) `(?P<name>[^`]*)`")


async def read_json(request: Request, kind: type[T], fault: Code | None = None) -> T:
    """The body as ``kind``. ``fault`` is the code of a wrong value where the endpoint has one of
    its own. Raises Refusal."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refusal(
            Code.UNSUPPORTED_MEDIA_TYPE, "send JSON, with `Content-Type: application/json`"
        )
    return decode(await _read_body(request), kind, fault)


def decode(body: bytes, kind: type[T], fault: Code | None = None) -> T:
    """Raises Refusal that names the faulty field."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), fault) from None
    except RecursionError:
        raise Refusal(Code.TOO_DEEP, "the body is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(Code.BAD_JSON, f"the body is not JSON: {error}") from None


def convert(value: Any, kind: type[T]) -> T:
    """A decoded value as ``kind``. Raises Refusal that names the faulty field."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), None) from None


def json_response(value: Any, status: int = 200) -> Response:
    """An answer that no cache keeps."""
    return Response(
        msgspec.json.encode(value),
        status,
        {"cache-control": "no-store"},
        "application/json",
    )


def refusal_response(refusal: Refusal, **more: Any) -> Response:
    """A refusal in the one shape of error, and whatever else the answer holds."""
    headers = {"cache-control": "no-store"}
    if refusal.retry_after_s is not None:
        headers["retry-after"] = str(refusal.retry_after_s)
    return Response(refusal.body(**more), refusal.status, headers, "application/json")


async def _read_body(request: Request) -> bytes:
    chunks, size = [], 0
    try:
        with anyio.fail_after(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    raise Refusal(Code.TOO_LARGE, f"the body is over {MAX_BODY_BYTES} bytes")
                chunks.append(chunk)
    except TimeoutError:
        raise Refusal(
            Code.BODY_TIMEOUT, f"the body did not come within {BODY_TIMEOUT_S:.0f} s"
        ) from None
    return b"".join(chunks)


def _refusal(message: str, fault: Code | None) -> Refusal:
    found = _PLACE.match(message)
    what, path = (found["what"], found["path"] or "") if found else (message, "")
    named = _NAMED.search(what)
    if named:
        path = f"{path}.{named['name']}" if path else named["name"]
    if "missing required" in what:
        return Refusal(fault or Code.MISSING_FIELD, what, field=path)
    return Refusal(fault or Code.WRONG_TYPE, what, field=path or None)
