"""Whether Redis would run a command as it stands: one that it refuses stops it while it loads.

Known are the commands that a Redis of Millrace's has in its file, with the arguments that can be
wrong. What Redis would run all the same, as a changed body or name of a field, is left to those
who open the batch.
"""

import re
from collections.abc import Callable, Sequence

Words = Sequence[bytes]
"""The arguments, the name first; a long one may be cut short."""

_ID = re.compile(rb"\d{1,19}-\d{1,19}")
_WHOLE = re.compile(rb"-?\d{1,18}")
_DATABASE = re.compile(rb"\d{1,2}")
_MOST_DATABASES = 16


def _is_id(word: bytes) -> bool:
    return _ID.fullmatch(word) is not None


def _is_whole(word: bytes) -> bool:
    return _WHOLE.fullmatch(word) is not None


def _adds(words: Words) -> bool:
    return len(words) >= 5 and len(words) % 2 == 1 and _is_id(words[2])


def _deletes(words: Words) -> bool:
    return len(words) >= 3 and all(map(_is_id, words[2:]))


def _trims(words: Words) -> bool:
    # XTRIM key MINID|MAXLEN [=|~] bound
    bound = [word for word in words[3:] if word not in (b"=", b"~")]
    if len(bound) != 1:
        return False
    kind = words[2].upper()
    return (kind == b"MINID" and _is_id(bound[0])) or (kind == b"MAXLEN" and _is_whole(bound[0]))


def _sets(words: Words) -> bool:
    if len(words) == 3:
        return True
    return len(words) == 5 and words[3].upper() in _EXPIRIES and _is_whole(words[4])


def _sets_last_id(words: Words) -> bool:
    plain = len(words) == 3
    long = len(words) == 7 and words[3].upper() == b"ENTRIESADDED" and _is_whole(words[4])
    if long:
        long = words[5].upper() == b"MAXDELETEDID" and _is_id(words[6])
    return (plain or long) and _is_id(words[2])


def _selects(words: Words) -> bool:
    return (
        len(words) == 2
        and _DATABASE.fullmatch(words[1]) is not None
        and int(words[1]) < _MOST_DATABASES
    )


_EXPIRIES = {b"PXAT", b"PX", b"EX", b"EXAT"}
_CHECKS: dict[bytes, Callable[[Words], bool]] = {
    b"XADD": _adds,
    b"XDEL": _deletes,
    b"XTRIM": _trims,
    b"XSETID": _sets_last_id,
    b"SET": _sets,
    b"HSET": lambda words: len(words) >= 4 and len(words) % 2 == 0,
    b"HDEL": lambda words: len(words) >= 3,
    b"DEL": lambda words: len(words) >= 2,
    b"UNLINK": lambda words: len(words) >= 2,
    b"PEXPIREAT": lambda words: len(words) == 3 and _is_whole(words[2]),
    b"PERSIST": lambda words: len(words) == 2,
    b"RENAME": lambda words: len(words) == 3,
    b"SELECT": _selects,
    b"MULTI": lambda words: len(words) == 1,
    b"EXEC": lambda words: len(words) == 1,
    b"FLUSHALL": lambda words: len(words) <= 2,
    b"FLUSHDB": lambda words: len(words) <= 2,
}


_OTHERS = set(
    b"XGROUP XCLAIM XACK SADD SREM SMOVE ZADD ZREM ZINCRBY ZREMRANGEBYSCORE LPUSH RPUSH LPOP RPOP "
    b"LREM LTRIM LMOVE RPOPLPUSH HMSET HSETNX HINCRBY INCR INCRBY DECR APPEND MSET PUBLISH".split()
)
"""Of the primary's groups and of the jobs' queues: by name alone."""


def is_sound(words: Words) -> bool:
    """By name and arguments."""
    check = _CHECKS.get(words[0].upper())
    if check is None:
        return words[0].upper() in _OTHERS and len(words) >= 2
    return check(words)
