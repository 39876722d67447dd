"""``GET /live?site=…&ticket=…[&last=…]``: who may listen, and the life of one connection.

The Origin must be the dashboard's own, exactly. A browser always sends one; a program with a
ticket of its own names the dashboard's origin too, so that one rule holds for all.
"""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from realtime.channel import Channel
from realtime.database import Database, DatabaseDown
from realtime.feed import Feed
from realtime.outbox import Socket
from realtime.tickets import redeem
from shared.clock import US_PER_MS, Clock
from shared.errors import Code, Refusal
from shared.metrics import LIVE_SOCKETS
from shared.settings import RealtimeSettings

PATH = "/live"

_MAX_MESSAGE_BYTES = 1_024


class LiveConnection(ServerConnection):
    """A connection that the outbox can send to and cut off."""

    channel: Channel
    last: int | None = None

    def backlog_bytes(self) -> int:
        """What the client's machine has not yet taken."""
        return self.transport.get_write_buffer_size()

    def cut_off(self) -> None:
        """Drop the connection and what waits in its buffer."""
        self.transport.abort()


def send_to_all(sockets: Iterable[Socket], frame: bytes) -> None:
    """Send an encoded frame to each socket without waiting for any."""
    broadcast([each for each in sockets if isinstance(each, ServerConnection)], frame, text=True)


class Gateway:
    """Opens channels of the feed to connections with a good ticket."""

    def __init__(
        self, feed: Feed, database: Database, settings: RealtimeSettings, clock: Clock
    ) -> None:
        self._feed = feed
        self._database = database
        self._settings = settings
        self._clock = clock
        api = urlsplit(settings.api_url)
        self._origin = f"{api.scheme}://{api.netloc}"

    def serving(self) -> AbstractAsyncContextManager[Server]:
        """An async context manager that holds the server; leaving it closes clients with 1001."""
        return serve(
            self._listen,
            self._settings.realtime_host,
            self._settings.realtime_port,
            process_request=self._answer,
            compression=None,
            server_header=None,
            max_size=_MAX_MESSAGE_BYTES,
            create_connection=LiveConnection,
        )

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        try:
            assert isinstance(connection, LiveConnection)
            await self._admit(connection, request)
        except Refusal as refusal:
            return _refuse(refusal)
        return None

    async def _admit(self, connection: LiveConnection, request: Request) -> None:
        """Ready the connection, or raise the Refusal."""
        path, _, query = request.path.partition("?")
        if path != PATH:
            raise Refusal(Code.NOT_FOUND, f"There is only {PATH} here.")
        self._check_origin(request.headers)
        asked = parse_qs(query)
        connection.last = _read_last(asked.get("last", []))
        try:
            site = await redeem(
                self._database, asked.get("ticket", [""])[0], asked.get("site", [""])[0]
            )
            if site is None:
                raise Refusal(
                    Code.UNAUTHENTICATED,
                    "The ticket is not good for this site: it was used, is too old, or is not "
                    "one. Ask POST /api/live/ticket for a new one.",
                )
            connection.channel = await self._feed.open(site)
        except DatabaseDown as error:
            message = "The database does not answer."
            raise Refusal(Code.UNAVAILABLE, message, retry_after_s=1) from error

    def _check_origin(self, headers: Headers) -> None:
        if headers.get_all("Origin") != [self._origin]:
            raise Refusal(
                Code.FORBIDDEN_ORIGIN, "The Origin is not the dashboard's (MILLRACE_API_URL)."
            )

    async def _listen(self, connection: ServerConnection) -> None:
        assert isinstance(connection, LiveConnection)
        channel = connection.channel
        with LIVE_SOCKETS.track_inprogress():
            for frame in channel.join(connection, connection.last):
                send_to_all([connection], frame)
            try:
                # Nothing a client says is heeded, but its closing must be read.
                async for _ in connection:
                    pass
            except ConnectionClosed:
                pass
            finally:
                channel.leave(connection, self._clock() // US_PER_MS)


def _read_last(values: list[str]) -> int | None:
    """The commit a client has seen; what is no number cannot be resumed from."""
    text = values[0] if values else ""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1


def _refuse(refusal: Refusal) -> Response:
    body = refusal.body()
    status = HTTPStatus(refusal.status)
    headers = Headers(
        {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Connection": "close",
        }
    )
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    return Response(status.value, status.phrase, headers, body)
