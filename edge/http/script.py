"""The built tracker, with a validator so that browsers ask cheaply whether theirs is current.

Beside the whole tracker stands its core, under the same path with ``.core`` before the ending:
without the console's explanations, and with Do Not Track left to the edge to judge.
"""

from hashlib import sha256
from pathlib import Path, PurePosixPath

from starlette.requests import Request
from starlette.responses import Response

from shared.errors import Code, Refusal

_DIST = Path(__file__).parents[1] / "tracker" / "dist"
BUILT = _DIST / "t.js"
BUILT_CORE = _DIST / "core.js"


def core_path(script_path: str) -> str:
    """``/t.core.js`` of ``/t.js``."""
    path = PurePosixPath(script_path)
    return str(path.with_name(f"{path.stem}.core{path.suffix}"))


class Script:
    """Read once at start; ``None`` where the tracker was not built."""

    def __init__(self, max_age_s: int, path: Path = BUILT) -> None:
        self._content = path.read_bytes() if path.is_file() else None
        self._headers = {
            "cache-control": f"public, max-age={max_age_s}",
            "etag": f'"{sha256(self._content or b"").hexdigest()[:20]}"',
            "access-control-allow-origin": "*",
            "cross-origin-resource-policy": "cross-origin",
            "x-content-type-options": "nosniff",
        }

    async def serve(self, request: Request) -> Response:
        """200 with the script, or 304."""
        if self._content is None:
            raise Refusal(Code.NOT_FOUND, "this edge was installed without a built tracker")
        known = request.headers.get("if-none-match", "")
        if self._headers["etag"] in {tag.strip().removeprefix("W/") for tag in known.split(",")}:
            return Response(status_code=304, headers=self._headers)
        return Response(
            self._content, media_type="text/javascript; charset=utf-8", headers=self._headers
        )
