"""One worker of the edge within the test's own process, called as uvicorn calls it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from redis import Redis
from starlette.applications import Starlette
from starlette.types import Message

from edge.http.app import EdgeApp
from edge.worker import Worker
from shared import batch, keys
from shared.envelope import Envelope
from shared.settings import EdgeSettings
from shared.snapshot import KeyRules, SiteRules, Snapshot, sign

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SITE = "shop.example"
BEACON = {"site": SITE, "url": "https://shop.example/basket"}
SEAL_KEY = keys.new_seal_key()
SIGNING_KEY = keys.new_signing_key()


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


def edge_settings(primary_url: str, spool_url: str, state: Path, **changes: Any) -> EdgeSettings:
    """Patient, so that a disk that stalls for a moment makes no hung server."""
    settings = EdgeSettings(
        primary_url=primary_url,
        spool_url=spool_url,
        edge_name="test",
        core_verify_key=keys.public_signing_key(SIGNING_KEY),
        seal_public_key=keys.public_seal_key(SEAL_KEY),
        edge_state_dir=state,
        edge_ping_timeout_s=10.0,
        spool_timeout_s=20.0,
    )
    return msgspec.structs.replace(settings, **changes)


def snapshot(version: int = 1, **changes: Any) -> Snapshot:
    made = Snapshot(
        epoch=1,
        version=version,
        issued_at=0,
        seal_keys=(keys.public_seal_key(SEAL_KEY),),
        sites=(SiteRules(SITE, origins=("https://partner.example",)),),
    )
    return msgspec.structs.replace(made, **changes)


def signed(made: Snapshot) -> bytes:
    return sign(made, keys.read_signing_key(SIGNING_KEY))


def key_rules(secret: str, site: str | None, *scopes: str) -> KeyRules:
    return KeyRules(keys.api_key_digest(secret), site, scopes)


def stored_envelopes(redis_url: str, stream: str = "ingest:test") -> list[Envelope]:
    """Every envelope at a Redis, opened as the writer opens it."""
    return [
        envelope for sealed in stored_batches(redis_url, stream) for envelope in sealed.envelopes
    ]


def stored_batches(redis_url: str, stream: str = "ingest:test") -> list[batch.Sealed]:
    with Redis.from_url(redis_url) as redis:
        entries: Any = redis.xrange(stream)
    return [opened(fields) for _, fields in entries]


def opened(fields: Mapping[bytes, bytes]) -> batch.Sealed:
    """An entry's batch, opened as the writer opens it."""
    return batch.open_sealed(fields, keys.read_private_keys(SEAL_KEY))


class EdgeUnderTest:
    """``send`` is one request; what it returns is what the client would read."""

    def __init__(self, settings: EdgeSettings) -> None:
        self.settings = settings
        self.worker = Worker(settings)

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield

        self.app = EdgeApp(settings, self.worker.intake, lifespan)

    def stop_time(self) -> None:
        """No rate recovers from now on, however long the answers take."""
        now = time.monotonic()
        self.worker.guard._monotonic_s = lambda: now

    def use(self, made: Snapshot) -> None:
        assert self.worker.snapshots.offer(signed(made))

    async def post(self, beacon: Any = BEACON, **headers: str) -> Response:
        body = beacon if isinstance(beacon, bytes) else json.dumps(beacon).encode()
        return await self.send("POST", "/track", [body], _with_defaults(headers))

    async def send(
        self,
        method: str,
        target: str,
        parts: Iterable[bytes] = (),
        headers: Mapping[str, str] | None = None,
        *,
        peer: str = "192.0.2.7",
        never_ends: bool = False,
    ) -> Response:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [
                (name.lower().encode(), value.encode("latin-1"))
                for name, value in (headers or {}).items()
            ],
            "client": (peer, 40_000),
            "server": ("127.0.0.1", 4001),
            "scheme": "http",
            "http_version": "1.1",
        }
        await self.app(scope, _receiver(list(parts), never_ends), send)
        return _response(sent)


@asynccontextmanager
async def running_edge(settings: EdgeSettings) -> AsyncIterator[EdgeUnderTest]:
    edge = EdgeUnderTest(settings)
    async with edge.worker.running():
        yield edge


def _receiver(parts: list[bytes], never_ends: bool) -> Any:
    async def receive() -> Message:
        if parts:
            part = parts.pop(0)
            more = bool(parts) or never_ends
            return {"type": "http.request", "body": part, "more_body": more}
        if never_ends:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive


def _with_defaults(headers: dict[str, str]) -> dict[str, str]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"content-type": "text/plain", "user-agent": BROWSER, **given}


def _response(sent: list[Message]) -> Response:
    start = next(message for message in sent if message["type"] == "http.response.start")
    headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    body = b"".join(
        message.get("body", b"") for message in sent if message["type"] == "http.response.body"
    )
    return Response(start["status"], headers, body)
