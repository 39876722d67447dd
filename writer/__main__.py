"""``python -m writer``."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys

from shared.logs import set_up_logs
from shared.ops import OpsServer
from shared.settings import BadSettings, WriterSettings, load, setting_file, variable
from writer.apart import CPU_S
from writer.app import Writer
from writer.port import PortTaken, take_port

log = logging.getLogger("writer")

# The store's thread asks for the interpreter some dozens of times a commit, and each time waits up
# to so long while the other enriches; hand it over soon.
_SWITCH_INTERVAL_S = 0.00003
# A read is some hundred thousand objects, all alive until it is stored and in no cycles: at the
# default threshold a third of the time goes into looking through them.
_GC_THRESHOLDS = (100_000, 20, 100)


async def _serve(settings: WriterSettings, listening: socket.socket) -> None:
    writer = Writer(settings, seal_keys_file=setting_file("seal_keys", os.environ))
    ops = OpsServer(writer.readiness, settings.ops_host, settings.writer_port)
    writer.careful.cpu_s = CPU_S
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, writer.consumer.stop)
    serving = asyncio.create_task(ops.serve(sockets=[listening]))
    log.info("writer %s starts", settings.writer_name)
    try:
        await writer.run()
    finally:
        ops.should_exit = True
        await serving
        await writer.close()
    log.info("writer %s has ended", settings.writer_name)


def main() -> int:
    """Run until SIGTERM. Returns the exit code."""
    try:
        settings = load(WriterSettings, os.environ)
        listening = take_port(settings.ops_host, settings.writer_port, variable("writer_port"))
    except BadSettings as error:
        print(error, file=sys.stderr)
        return 2
    except PortTaken as error:
        print(error, file=sys.stderr)
        return 1
    set_up_logs(settings.log_level, settings.log_format)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    try:
        asyncio.run(_serve(settings, listening))
    except Exception:
        log.exception("writer %s has died", settings.writer_name)
        return 1
    finally:
        # DuckDB's binding looks at the end for what is left of it, and what is frozen looks so.
        gc.unfreeze()
    return 0


if __name__ == "__main__":
    sys.exit(main())
