"""Connections to the database, and what its errors mean for a writer."""

from typing import Any

import psycopg
from psycopg import Connection

CONNECT_TIMEOUT_S = 5
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


class Unavailable(Exception):
    """The database does not take this now; the same again later. Says why in its message."""


class DataRefused(Exception):
    """The database will never take these data. ``sqlstate`` says why."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


def connect(postgres_url: str, *, autocommit: bool = False) -> Connection[Any]:
    """A connection that notices a dead peer. Raises Unavailable."""
    try:
        return psycopg.connect(
            postgres_url,
            autocommit=autocommit,
            connect_timeout=CONNECT_TIMEOUT_S,
            options="-c timezone=UTC -c application_name=millrace-writer",
            **_KEEPALIVE,  # type: ignore[arg-type]
        )
    except psycopg.Error as error:
        raise Unavailable(describe(error)) from error


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
    return Unavailable(describe(error))


def is_collision(error: psycopg.Error) -> bool:
    """Whether two transactions got in each other's way: the same at once may succeed."""
    return error.sqlstate in ("40001", "40P01")


def describe(error: psycopg.Error) -> str:
    """One line without data: the class, the SQLSTATE."""
    return f"{type(error).__name__} {error.sqlstate or ''}".strip()
