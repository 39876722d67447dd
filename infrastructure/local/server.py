"""What a started server and one that was given by its address have in common."""

from dataclasses import dataclass
from typing import NoReturn, Protocol

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infrastructure.problem import Problem

PRIMARY_SETTING = "MILLRACE_PRIMARY_URL"
SPOOL_SETTING = "MILLRACE_SPOOL_URL"
POSTGRES_SETTING = "MILLRACE_POSTGRES_URL"
SERVER_SETTINGS = (PRIMARY_SETTING, SPOOL_SETTING, POSTGRES_SETTING)
_ASK_WITHIN_S = 5


class Server(Protocol):
    """A server that can be reached by its `url` and be made to fail."""

    @property
    def url(self) -> str: ...
    @property
    def running(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


@dataclass(frozen=True)
class GivenServer:
    """Somebody else's server, named in the environment: used, never started, stopped or changed."""

    url: str
    setting: str

    @property
    def running(self) -> bool:
        return True

    def start(self) -> None:
        """It should run already: Problem when it does not answer."""
        try:
            self._ask()
        except (psycopg.Error, redis.RedisError, ValueError) as error:
            raise Problem(
                f"The server in {self.setting} does not answer ({type(error).__name__}): start it, "
                f"or unset {self.setting} to use one of our own."
            ) from error

    def _ask(self) -> None:
        if self.url.startswith("postgres"):
            psycopg.connect(self.url, connect_timeout=_ASK_WITHIN_S).close()
        else:
            options = {"socket_timeout": _ASK_WITHIN_S, "socket_connect_timeout": _ASK_WITHIN_S}
            with redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), **options) as client:
                client.ping()

    def stop(self) -> None:
        """It is not ours to stop at the end."""

    def kill(self) -> NoReturn:
        self._refuse()

    def pause(self) -> NoReturn:
        self._refuse()

    def resume(self) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise Problem(
            f"The server in {self.setting} is not ours to make fail: unset {self.setting}."
        )
