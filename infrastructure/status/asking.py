"""Asks a process on its ops port, and a Redis by PING; nothing here waits for long."""

import http.client
import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError
from redis.exceptions import ConnectionError as RedisConnection
from redis.exceptions import TimeoutError as RedisTimeout
from redis.retry import Retry

from infrastructure.manifest import Health

READY, NOT_READY, DOWN, HUNG = "ready", "not ready", "does not run", "hangs"
UNREACHABLE = "cannot be reached"
WITHIN_S = 2.0

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """What ``/metrics`` said: values by name and labels."""

    def __init__(self, text: str = "") -> None:
        self._values: dict[tuple[str, Labels], float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._values[sample.name, tuple(sorted(sample.labels.items()))] = sample.value

    def value(self, name: str, **labels: str) -> float | None:
        return self._values.get((name, tuple(sorted(labels.items()))))

    def by(self, name: str, label: str) -> dict[str, float]:
        """Values of a metric with one label."""
        return dict(self._having(name, label))

    def _having(self, name: str, label: str) -> Iterator[tuple[str, float]]:
        for (known, labels), value in self._values.items():
            if known == name and label in dict(labels):
                yield dict(labels)[label], value


class Told(NamedTuple):
    """``readiness``: the body of /readyz; empty where it gave none."""

    state: str
    readiness: dict[str, Any]
    metrics: Metrics


def ask_process(host: str, port: int, health: Health) -> Told:
    """What it says of itself."""
    try:
        status, body = _get(host, port, health.ready)
        readiness = json.loads(body)
        _, metrics = _get(host, port, health.metrics)
        return Told(READY if status == 200 else NOT_READY, readiness, Metrics(metrics))
    except ConnectionRefusedError:
        return Told(DOWN, {}, Metrics())
    except TimeoutError:
        return Told(HUNG, {}, Metrics())
    except (OSError, http.client.HTTPException, ValueError):
        # Something listens there that is none of ours, or ended just now.
        return Told(DOWN, {}, Metrics())


def _get(host: str, port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=WITHIN_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def ask_redis(url: str) -> str:
    """Empty where it answers, else what is wrong with it, as a clause."""
    options: dict[str, Any] = {"socket_timeout": WITHIN_S, "socket_connect_timeout": WITHIN_S}
    try:
        with Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options) as client:
            client.ping()
    except ValueError:
        return "has an address that cannot be read"
    except AuthenticationError:
        return "refuses the password"
    except BusyLoadingError:
        return "is still loading what it holds"
    except RedisTimeout:
        return "does not answer, though it may take connections"
    except RedisConnection:
        return UNREACHABLE
    except RedisError as error:
        return f"refuses to answer ({type(error).__name__})"
    return ""


def address_of(url: str) -> str:
    """Host and port, or the path of a socket: what may be shown of an URL with a password."""
    try:
        parts = urlsplit(url)
        standard = 6379 if parts.scheme.startswith("redis") else 5432
        host = f"{parts.hostname or '127.0.0.1'}:{parts.port or standard}"
    except ValueError:
        return ""
    return parts.path if parts.scheme == "unix" else host
