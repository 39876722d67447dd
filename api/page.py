"""The built pages, and what browsers are told about them.

Assets carry their hash in their names, so that a browser need never ask for one again.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import origin_of
from api.refusals import http_error

DIST = Path(__file__).parent / "dashboard" / "dist"
PAGES = (
    "/",
    "/login",
    "/live",
    "/sites/{site}",
    "/sites/{site}/setup",
    "/sites/{site}/settings",
    "/add-site",
    "/keys",
    "/edges",
    "/owners",
)

_ASSETS = "assets"
_PROGRAMS = ("/api/", "/v1/")
"""Where programs ask, even when somebody looks there with a browser."""
_FOREVER = "public, max-age=31536000, immutable"
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Millrace</title>
<h1>The pages are not built</h1><p>In a checkout, <code>./run up</code> and <code>./run demo</code>
build them; by hand: <code>npm ci &amp;&amp; npm run build</code> in <code>api/dashboard</code>.
An installed Millrace carries them.</p></html>"""


def page_routes(dist: Path = DIST) -> list[BaseRoute]:
    """The pages of the application, and its hashed assets."""

    async def page(_: Request) -> Response:
        return _index(dist)

    async def file(request: Request) -> Response:
        return await top.get_response(request.path_params["name"], request.scope)

    assets, top = _Assets(dist / _ASSETS, _FOREVER), _Assets(dist, "no-cache")
    return [
        *(Route(path, page, methods=["GET"]) for path in PAGES),
        Mount(f"/{_ASSETS}", assets),
        Route("/{name}", file, methods=["GET"]),
    ]


def not_found(dist: Path = DIST) -> Callable[[Request, Exception], Awaitable[Response]]:
    """What is told where nothing is: somebody with a browser meets the pages, which name a next
    step; a program gets the one shape of error."""

    async def tell(request: Request, error: Exception) -> Response:
        if _is_read_by_somebody(request):
            return _index(dist, 404)
        return await http_error(request, error)

    return tell


def _is_read_by_somebody(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted and not request.url.path.startswith(_PROGRAMS)


def _index(dist: Path, status: int = 200) -> Response:
    index = dist / "index.html"
    if not index.is_file():
        return HTMLResponse(_NOT_BUILT, 503, {"cache-control": "no-store"})
    return FileResponse(index, status, headers={"cache-control": "no-cache"})


class _Assets(StaticFiles):
    """Files of one folder, which need not be there."""

    def __init__(self, folder: Path, cache_control: str) -> None:
        super().__init__(directory=folder, check_dir=False)
        self._folder = folder
        self._cache_control = cache_control

    async def check_config(self) -> None:
        """A folder that is not there holds no files; that is all."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if "\0" in path or not self._folder.is_dir():
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["cache-control"] = self._cache_control
        return response


class SecurityHeaders:
    """Adds to every answer what keeps foreign script, frames and guesses out."""

    def __init__(self, app: ASGIApp, live_url: str) -> None:
        self._app = app
        self._headers = [
            (name.encode(), value.encode()) for name, value in _security_headers(live_url)
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _security_headers(live_url: str) -> list[tuple[str, str]]:
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"font-src 'self'; connect-src 'self' {origin_of(live_url)}; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return [
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ]
