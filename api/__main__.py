"""``python -m api``: starts the API and its ops server; SIGTERM ends both."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from sqlalchemy import text
from starlette.applications import Starlette

from api.app import make_app
from shared.logs import set_up_logs
from shared.ops import OpsServer
from shared.settings import ApiSettings, BadSettings, load

PROBE_EVERY_S = 1.0
STOP_AFTER_S = 10


class _Server(uvicorn.Server):
    """Ends of itself after a signal, so that what runs beside it can end too."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


class Readiness:
    """Whether the database answers, asked once a second."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._state: dict[str, object] = {"ready": False, "database": "not asked yet"}

    def __call__(self) -> dict[str, object]:
        """The state last seen."""
        return self._state

    async def watch(self) -> None:
        """Runs until cancelled."""
        while True:
            self._state = await self._probe()
            await asyncio.sleep(PROBE_EVERY_S)

    async def _probe(self) -> dict[str, object]:
        try:
            async with asyncio.timeout(PROBE_EVERY_S * 3):
                async with self._app.state.parts.pool.connect() as db:
                    await db.execute(text("select 1"))
        except Exception as error:  # whatever it is, it is why the API is not ready
            return {"ready": False, "database": type(error).__name__}
        return {"ready": True, "database": "answers"}


async def serve(settings: ApiSettings) -> None:
    """Until SIGTERM or SIGINT."""
    app = make_app(settings)
    server = _Server(
        uvicorn.Config(
            app,
            host=settings.api_host,
            port=settings.api_port,
            access_log=False,
            log_config=None,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=STOP_AFTER_S,
        )
    )
    readiness = Readiness(app)
    ops = OpsServer(readiness, settings.ops_host, settings.api_ops_port)
    # Both ports before anything runs: one that is taken ends the process with one line.
    public, private = server.config.bind_socket(), ops.config.bind_socket()
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(readiness.watch())
        serving = tasks.create_task(ops.serve([private]))
        await server.serve([public])
        watching.cancel()
        ops.should_exit = True
        await serving


def main() -> int:
    """Exit code: 0 after a signal, 2 for settings that cannot be used."""
    try:
        settings = load(ApiSettings, os.environ)
    except BadSettings as error:
        print(error, file=sys.stderr)
        return 2
    set_up_logs(settings.log_level, settings.log_format)
    asyncio.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
