"""Up to when nothing that an edge received is still to come."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from shared.completeness import READ, final_until, judge, parameters


def final_at(connection: Connection[Any], now: datetime) -> datetime:
    """Nothing received before it is still to come; with no edge at all nothing is."""
    rows = connection.execute(READ, parameters(now)).fetchall()
    return final_until(judge(row, now) for row in rows) or now
