"""The RQ worker: a fork for each job, its outcome counted in the process that stays.

RQ's worker ends at the first answer of Redis that it did not expect (one that still loads, is full
or was slow); here the next one takes its place.
"""

import logging
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.metrics import JOBS_DONE
from writer.jobs.schedule import SCHEDULE, queue

log = logging.getLogger("jobs")

_NAMES = {f"{job.run.__module__}.run": job.name for job in SCHEDULE}
_TTL_S = 60
_PAUSE_S = 1.0


class JobsWorker(Worker):
    """Counts what became of each job, and remembers whether it was asked to stop."""

    asked_to_stop = False

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run it in a fork, and wait for that."""
        super().execute_job(job, queue)
        outcome = "done" if job.get_status(refresh=True) == "finished" else "failed"
        JOBS_DONE.labels(_NAMES.get(job.func_name or "", "other"), outcome).inc()

    def handle_warm_shutdown_request(self) -> None:
        """SIGTERM or SIGINT has come."""
        self.asked_to_stop = True
        super().handle_warm_shutdown_request()  # type: ignore[no-untyped-call]


def make_worker(redis: Redis) -> JobsWorker:
    """A worker of the one queue. Abandoned jobs are looked for once a minute, not every ten."""
    return JobsWorker(
        [queue(redis)],
        connection=redis,
        serializer=JSONSerializer,
        maintenance_interval=60,
        worker_ttl=_TTL_S,
        log_job_description=False,
    )


def work_until_stopped(redis: Redis, log_level: str, wait_for_primary: Callable[[], None]) -> None:
    """One worker after the other, until SIGTERM or SIGINT; a job under way is finished first."""
    _end_at_once_when_asked()
    # The handler that a worker leaves behind says so by an exception, wherever it is called.
    with suppress(StopRequested):
        while not _is_done(redis, log_level, wait_for_primary):
            _end_at_once_when_asked()
            time.sleep(_PAUSE_S)


def _is_done(redis: Redis, log_level: str, wait_for_primary: Callable[[], None]) -> bool:
    wait_for_primary()
    worker = None
    try:
        worker = make_worker(redis)
        worker.work(with_scheduler=False, logging_level=log_level)
    except (RedisError, OSError) as error:
        log.warning("the jobs worker ended: %s", type(error).__name__)
    return worker is not None and worker.asked_to_stop


def _end_at_once_when_asked() -> None:
    # Between two workers nothing is under way.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
