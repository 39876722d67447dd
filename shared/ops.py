"""/healthz, /readyz and /metrics of a process, on a port that is not public."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Readiness = Callable[[], dict[str, object]]
"""Says whether the process can do its work now: ``{"ready": bool, …why}``."""


def ops_app(readiness: Readiness, registry: CollectorRegistry = REGISTRY) -> Starlette:
    """The three endpoints. ``/readyz`` answers 503 while ``ready`` is false."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"up": True})

    async def readyz(_: Request) -> Response:
        state = readiness()
        return JSONResponse(state, status_code=200 if state["ready"] else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    )


class OpsServer(uvicorn.Server):
    """Serves beside the process's own work, and leaves the signals to it."""

    def __init__(
        self, readiness: Readiness, host: str, port: int, registry: CollectorRegistry = REGISTRY
    ) -> None:
        super().__init__(
            uvicorn.Config(
                ops_app(readiness, registry),
                host=host,
                port=port,
                access_log=False,
                log_config=None,
                lifespan="off",
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process has its own handlers."""
        yield
