"""The RQ worker: a fork for each job, its outcome counted in the process that stays."""

from redis import Redis
from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.metrics import JOBS_DONE
from writer.jobs.schedule import SCHEDULE, queue

_NAMES = {f"{job.run.__module__}.run": job.name for job in SCHEDULE}
_TTL_S = 60


class JobsWorker(Worker):
    """Counts what became of each job."""

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run it in a fork, and wait for that."""
        super().execute_job(job, queue)
        outcome = "done" if job.get_status(refresh=True) == "finished" else "failed"
        JOBS_DONE.labels(_NAMES.get(job.func_name or "", "other"), outcome).inc()


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
