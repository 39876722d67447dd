"""Which job runs when, and the cron that enqueues them."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.cron import CronJob
from rq.serializers import JSONSerializer

from writer.jobs import archive, client_ids, geo, restore, retention, salts

log = logging.getLogger("jobs")

QUEUE = "millrace"
_TICK_S = 5.0
_RETRY_S = 2.0


class Scheduled(NamedTuple):
    """A job by the name its metric has; ``cron`` in the machine's local time."""

    name: str
    run: Callable[[], int]
    cron: str
    timeout: timedelta


SCHEDULE = (
    Scheduled("salts", salts.run, "7 * * * *", timedelta(minutes=10)),
    Scheduled("client_ids", client_ids.run, "37 2 * * *", timedelta(hours=2)),
    Scheduled("archive", archive.run, "17 * * * *", timedelta(hours=12)),
    Scheduled("retention", retention.run, "23 * * * *", timedelta(hours=6)),
    Scheduled("restore", restore.run, "*/5 * * * *", timedelta(hours=6)),
    Scheduled("geo", geo.run, "41 4 * * 3", timedelta(hours=1)),
)


def queue(redis: Redis) -> Queue:
    """The one queue. JSON: with pickle whoever can write to Redis runs code in the worker."""
    return Queue(QUEUE, connection=redis, serializer=JSONSerializer)


def enqueue(redis: Redis, scheduled: Scheduled) -> str:
    """Ask for a job now; returns its id."""
    job = queue(redis).enqueue(
        scheduled.run, job_timeout=int(scheduled.timeout.total_seconds()), result_ttl=86_400
    )
    return str(job.id)


class Cron:
    """Enqueues each job when it is due, in a thread of its own.

    RQ's own scheduler enqueues with the default serializer, which is pickle; its reckoning of
    cron times is used, its queueing is not.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._jobs = [
            (scheduled, CronJob(QUEUE, func=scheduled.run, cron=scheduled.cron))
            for scheduled in SCHEDULE
        ]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cron", daemon=True)

    def start(self) -> None:
        """Begin to look at the clock."""
        self._thread.start()

    def stop(self) -> None:
        """Enqueue nothing more."""
        self._stopping.set()

    def enqueue_due(self) -> list[str]:
        """Enqueue what is due now; returns the names."""
        due = [(scheduled, cron) for scheduled, cron in self._jobs if cron.should_run()]
        for scheduled, cron in due:
            enqueue(self._redis, scheduled)
            cron.set_enqueue_time(datetime.now(UTC))
        return [scheduled.name for scheduled, _ in due]

    def _run(self) -> None:
        while not self._stopping.wait(_TICK_S):
            try:
                self.enqueue_due()
            except (RedisError, OSError) as error:
                log.warning("jobs cannot be enqueued now: %s", type(error).__name__)
                self._stopping.wait(_RETRY_S)
