"""What a started server and one that was given by its address have in common."""

from dataclasses import dataclass
from typing import NoReturn, Protocol

from infrastructure.problem import Problem

PRIMARY_SETTING = "MILLRACE_PRIMARY_URL"
SPOOL_SETTING = "MILLRACE_SPOOL_URL"
POSTGRES_SETTING = "MILLRACE_POSTGRES_URL"
SERVER_SETTINGS = (PRIMARY_SETTING, SPOOL_SETTING, POSTGRES_SETTING)


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
        """It runs already."""

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
