"""``python -m edge.drain``."""

import asyncio
import os
import signal
import sys

from edge.drain.drain import Drain
from edge.drain.former import FormerNames
from edge.ending import end_tasks
from edge.state_folder import make_state_folder
from shared.logs import set_up_logs
from shared.ops import OpsServer
from shared.settings import BadSettings, EdgeSettings, load


async def serve(settings: EdgeSettings) -> None:
    """Drain and ops server, until SIGTERM or SIGINT."""
    drain = Drain(settings)
    former = FormerNames(settings, drain)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ops = OpsServer(
        lambda: {**drain.readiness(), **former.readiness()},
        settings.ops_host,
        settings.drain_ops_port,
    )
    works = (*drain.works(), former.run(), ops.serve(), stop.wait())
    tasks = [asyncio.create_task(work) for work in works]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await end_tasks(tasks)
    await former.close()
    await drain.close()
    for task in done:
        task.result()


def main() -> None:
    """Exit code 1 and one sentence when it cannot be begun."""
    try:
        settings = load(EdgeSettings, os.environ)
        make_state_folder(settings)
    except BadSettings as error:
        sys.exit(str(error))
    set_up_logs(settings.log_level, settings.log_format)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
