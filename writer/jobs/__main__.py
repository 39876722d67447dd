"""``python -m writer.jobs``: the RQ worker, its cron, and the ops endpoints in a thread."""

import logging
import os
import socket
import sys
import threading
import time

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from shared.logs import set_up_logs
from shared.ops import OpsServer
from shared.settings import BadSettings, JobsSettings, load, variable
from writer.archive.watch import watch
from writer.jobs.schedule import Cron
from writer.jobs.worker import work_until_stopped
from writer.port import PortTaken, take_port

log = logging.getLogger("jobs")

_WAIT_S = 1.0


def _wait_for_primary(redis: Redis) -> None:
    said = False
    while True:
        try:
            redis.ping()
            return
        except (RedisError, OSError) as error:
            if not said:
                log.warning("the primary is away (%s); waiting for it", type(error).__name__)
            said = True
            time.sleep(_WAIT_S)


def _serve_ops(settings: JobsSettings, redis: Redis, listening: socket.socket) -> None:
    def readiness() -> dict[str, object]:
        try:
            redis.ping()
        except (RedisError, OSError):
            return {"ready": False, "primary": False}
        return {"ready": True, "primary": True}

    server = OpsServer(readiness, settings.ops_host, settings.jobs_ops_port)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listening]}, name="ops", daemon=True
    )
    thread.start()


def _work(settings: JobsSettings, listening: socket.socket) -> None:
    redis: Redis = Redis.from_url(
        settings.primary_url,
        socket_connect_timeout=2,
        socket_timeout=90,
        retry=Retry(ExponentialBackoff(cap=2), 3),
    )
    probe: Redis = Redis.from_url(settings.primary_url, socket_connect_timeout=1, socket_timeout=1)
    _serve_ops(settings, probe, listening)
    cron = Cron(redis)
    cron.start()
    watch(settings.postgres_url)
    log.info("jobs worker starts")
    work_until_stopped(redis, settings.log_level.upper(), lambda: _wait_for_primary(probe))
    cron.stop()
    log.info("jobs worker has ended")


def main() -> int:
    """Run until SIGTERM; a job under way is finished first. Returns the exit code."""
    try:
        settings = load(JobsSettings, os.environ)
        listening = take_port(settings.ops_host, settings.jobs_ops_port, variable("jobs_ops_port"))
    except BadSettings as error:
        print(error, file=sys.stderr)
        return 2
    except PortTaken as error:
        print(error, file=sys.stderr)
        return 1
    set_up_logs(settings.log_level, settings.log_format)
    _work(settings, listening)
    return 0


if __name__ == "__main__":
    sys.exit(main())
