"""The database's advisory locks: who may work alone, each by a number of its own."""

from enum import IntEnum


class Lock(IntEnum):
    """Commit numbers are drawn under 7235420, which the first migration names itself."""

    ROLLUPS = 7_235_421
    ARCHIVE = 7_235_422
    MIGRATIONS = 0x4D696C6C
