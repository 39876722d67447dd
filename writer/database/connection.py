"""Connections to the database that never wait for ever, and what its errors mean for a writer."""

from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import Connection
from psycopg.abc import PQGen

CONNECT_TIMEOUT_S = 5
ANSWER_WITHIN_S = 15.0
LONGEST_S = 8
"""A statement may take so many times ``answer_s`` where the database is slow, not hung."""
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
_CHECK_INTERVAL_MS = 1_000

UNREACHABLE = "unreachable"
RESTARTING = "restarting"
READ_ONLY = "read_only"
DISK_FULL = "disk_full"
SHORT_OF_RESOURCES = "short_of_resources"
NO_ANSWER = "no_answer"
LOCKED = "locked"
COLLISION = "collision"
WEAK_PROMISE = "weak_promise"
OTHER = "other"

_WHY_BY_STATE = {
    "25006": READ_ONLY,
    "53100": DISK_FULL,
    "55P03": LOCKED,
    "57014": NO_ANSWER,
    "57P01": RESTARTING,
    "57P02": RESTARTING,
    "57P03": RESTARTING,
    "40001": COLLISION,
    "40P01": COLLISION,
}
_WHY_BY_CLASS = {"53": SHORT_OF_RESOURCES, "08": UNREACHABLE, "": UNREACHABLE}
# The driver hands on no SQLSTATE of a refusal to connect, only libpq's text with the server's
# words. A server that speaks another language (lc_messages) counts as unreachable.
_WHY_BY_WORDS = {
    "too many clients already": SHORT_OF_RESOURCES,
    "remaining connection slots are reserved": SHORT_OF_RESOURCES,
    "too many connections for": SHORT_OF_RESOURCES,
    "out of memory": SHORT_OF_RESOURCES,
    "the database system is starting up": RESTARTING,
    "the database system is shutting down": RESTARTING,
    "the database system is in recovery mode": RESTARTING,
    "the database system is not yet accepting connections": RESTARTING,
    "the database system is not accepting connections": RESTARTING,
}

T = TypeVar("T")


class Unavailable(Exception):
    """The database does not take this now; the same again later. ``why``: a word from above."""

    def __init__(self, message: str, why: str = OTHER) -> None:
        super().__init__(message)
        self.why = why


class DataRefused(Exception):
    """The database will never take these data. ``sqlstate`` says why."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


class Hung(psycopg.OperationalError):
    """A statement was not answered in time; its connection is closed."""


class Watched(Connection[Any]):
    """A connection that is closed when one wait for the server takes over ``answer_s`` seconds.

    Neither keepalives nor a timeout of the server's own help against a server that is stopped:
    its kernel goes on answering for it.
    """

    answer_s = ANSWER_WITHIN_S

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        began = monotonic()
        try:
            return super().wait(gen, interval, self.answer_s)
        except psycopg.Error as error:
            if monotonic() - began < self.answer_s:
                raise
            # Closed at once, or the end of the transaction would wait as long again.
            self.close()
            raise Hung("no answer in time") from error


def connect(
    postgres_url: str, *, autocommit: bool = False, answer_s: float = ANSWER_WITHIN_S
) -> Watched:
    """A connection that notices a dead or hung peer. Raises Unavailable."""
    try:
        connection = Watched.connect(
            postgres_url,
            autocommit=autocommit,
            connect_timeout=CONNECT_TIMEOUT_S,
            options=_options(answer_s),
            **_KEEPALIVE,  # type: ignore[arg-type]
        )
    except psycopg.Error as error:
        raise unavailable(error) from error
    connection.answer_s = answer_s
    return connection


def _options(answer_s: float) -> str:
    """What the server does by itself, so that neither a stopped nor a dead writer holds locks."""
    answer_ms = int(answer_s * 1_000)
    settings = {
        "timezone": "UTC",
        "application_name": "millrace-writer",
        "lock_timeout": answer_ms * 2 // 3,
        "statement_timeout": answer_ms * LONGEST_S,
        "idle_in_transaction_session_timeout": answer_ms,
        "client_connection_check_interval": _CHECK_INTERVAL_MS,
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def translate(error: psycopg.Error) -> Unavailable | DataRefused:
    """Whether to wait or to look for the culprit among the data.

    Only classes that speak of the data themselves blame them: 22 and 23, and 54 (a row or an
    index entry too large). Anything unknown waits, so that no trouble of the server's own can
    send sound events to the quarantine.
    """
    sqlstate = error.sqlstate or ""
    if sqlstate[:2] in ("22", "23", "54"):
        return DataRefused(sqlstate)
    if not sqlstate and isinstance(error, psycopg.DataError):
        # The driver itself could not encode them.
        return DataRefused(type(error).__name__)
    return unavailable(error)


def unavailable(error: psycopg.Error) -> Unavailable:
    """The database's trouble as the writer speaks of it."""
    return Unavailable(describe(error), _why(error))


def _why(error: psycopg.Error) -> str:
    if isinstance(error, Hung | psycopg.errors.ConnectionTimeout):
        return NO_ANSWER
    sqlstate = error.sqlstate or ""
    if not sqlstate and (words := _words(error)):
        return _WHY_BY_WORDS[words]
    return _WHY_BY_STATE.get(sqlstate) or _WHY_BY_CLASS.get(sqlstate[:2], OTHER)


def is_collision(error: psycopg.Error) -> bool:
    """Whether two transactions got in each other's way: the same at once may succeed."""
    return error.sqlstate in ("40001", "40P01")


def describe(error: psycopg.Error) -> str:
    """One line without data: the class, the SQLSTATE, or the server's words at a connect."""
    return f"{type(error).__name__} {error.sqlstate or _words(error)}".strip()


def _words(error: psycopg.Error) -> str:
    """Why a server refused to connect, where it is known; empty in all other cases."""
    if error.sqlstate or not isinstance(error, psycopg.OperationalError):
        return ""
    _, fatal, said = str(error).partition("FATAL: ")
    return next((words for words in _WHY_BY_WORDS if words in said), "") if fatal else ""
