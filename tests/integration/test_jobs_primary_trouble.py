"""A jobs process whose primary refuses, loads or goes away: it lives on, and works afterwards."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from infrastructure.local.ports import free_ports
from infrastructure.local.redis_server import RedisServer
from tests.integration.test_writer_process import started, wait_until_ready
from writer.jobs.schedule import SCHEDULE, enqueue


def test_a_primary_that_refuses_writes_at_the_start_is_waited_for(
    database: str, redis_server: Callable[..., RedisServer]
) -> None:
    primary = redis_server()
    with Redis.from_url(primary.url) as redis:
        redis.config_set("maxmemory", 1)
        with jobs_process(database, primary.url) as process:
            time.sleep(2.5)
            assert process.poll() is None
            redis.config_set("maxmemory", 0)
            assert outcome_of_a_job(redis) == "finished"
            stop(process)


def test_a_primary_that_is_killed_and_comes_back_finds_the_worker_at_work(
    database: str, redis_server: Callable[..., RedisServer]
) -> None:
    primary = redis_server()
    with jobs_process(database, primary.url) as process, Redis.from_url(primary.url) as redis:
        assert outcome_of_a_job(redis) == "finished"
        for _ in range(2):
            primary.kill()
            time.sleep(0.5)
            primary.start()
            assert outcome_of_a_job(redis) == "finished"
        assert process.poll() is None
        stop(process)


@pytest.mark.parametrize("after_s", [0.2, 0.6, 1.0, 1.4])
def test_it_ends_when_asked_while_the_primary_is_away(
    database: str, redis_server: Callable[..., RedisServer], after_s: float
) -> None:
    primary = redis_server()
    with jobs_process(database, primary.url) as process:
        primary.kill()
        time.sleep(after_s)
        stop(process)


@contextmanager
def jobs_process(database: str, primary_url: str) -> Iterator[subprocess.Popen[bytes]]:
    [port] = free_ports(1)
    environment = {
        "MILLRACE_POSTGRES_URL": database,
        "MILLRACE_PRIMARY_URL": primary_url,
        "MILLRACE_JOBS_OPS_PORT": str(port),
    }
    with started("writer.jobs", environment) as process:
        wait_until_ready(port, process)
        yield process


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def outcome_of_a_job(redis: Redis) -> str:
    scheduled = next(job for job in SCHEDULE if job.name == "client_ids")
    job = Job.fetch(enqueue(redis, scheduled), redis, serializer=JSONSerializer)
    deadline = time.monotonic() + 60
    while (status := job.get_status(refresh=True)) not in ("finished", "failed"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return str(status.value)
