"""A beacon as an image, for pages and mails without scripts: ``?site&url&name``."""

from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope, Send

from edge.http.answers import Header, cors, send_answer
from edge.http.body import MAX_SINGLE
from edge.http.intake import Intake
from shared.errors import Code, Refusal

GIF = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
_FIELDS = ("site", "url", "name")


class Pixel:
    """Answers with the image once the beacon is durable, with the endpoint's error otherwise."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        headers = dict(scope["headers"])
        if scope["method"] == "HEAD":
            # Whoever asks for the headers alone looks at nothing.
            await _send_image(send, (), headers.get(b"origin"))
            return
        answer = await self._intake.get(scope, _body(scope["query_string"], headers))
        origin = headers.get(b"origin")
        if answer.status == 202:
            await _send_image(send, answer.headers, origin)
        else:
            await send_answer(send, answer, origin)


def _body(query: bytes, headers: dict[bytes, bytes]) -> bytes:
    fields = dict(_read_query(query))
    beacon = {name: fields[name] for name in _FIELDS if fields.get(name)}
    referer = headers.get(b"referer")
    if "url" not in beacon and referer:
        beacon["url"] = referer.decode("utf-8", "replace")
    return msgspec.json.encode(beacon)


def _read_query(query: bytes) -> list[tuple[str, str]]:
    if len(query) > MAX_SINGLE:
        raise Refusal(Code.TOO_LARGE, f"a query takes at most {MAX_SINGLE} bytes")
    try:
        return parse_qsl(query.decode("ascii", "replace"), errors="replace", max_num_fields=50)
    except ValueError as error:
        raise Refusal(Code.BAD_VALUE, "the query cannot be read") from error


async def _send_image(send: Send, more: tuple[Header, ...], origin: bytes | None) -> None:
    headers = [
        *more,
        *cors(origin),
        (b"content-type", b"image/gif"),
        (b"content-length", b"%d" % len(GIF)),
        (b"cache-control", b"no-store"),
        (b"cross-origin-resource-policy", b"cross-origin"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": GIF})
