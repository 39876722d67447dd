"""Arrays as query parameters in PostgreSQL's binary form, made without a Python object each."""

from collections.abc import Iterable, Sequence
from struct import Struct, pack
from typing import Any

from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

from writer.encode import PG_EPOCH_US

_HEAD = Struct(">iiIii")
_UUID, _INT4, _TIMESTAMPTZ = 2950, 23, 1184
_UUID_LENGTH = pack(">i", 16)


class Uuids(bytes):
    """A ``uuid[]``."""


class Int4s(bytes):
    """An ``int4[]``."""


class Instants(bytes):
    """A ``timestamptz[]``."""


def uuids(values: Sequence[int]) -> Uuids:
    """UUIDs given as 128-bit integers."""
    items = b"".join([_UUID_LENGTH + value.to_bytes(16) for value in values])
    return Uuids(_array(_UUID, len(values), items))


def int4s(values: Sequence[int]) -> Int4s:
    """32-bit integers."""
    return Int4s(_numbers(_INT4, 4, "i", values))


def instants(values: Iterable[int]) -> Instants:
    """Instants in µs since 1970."""
    return Instants(_numbers(_TIMESTAMPTZ, 8, "q", [at - PG_EPOCH_US for at in values]))


def _numbers(oid: int, size: int, code: str, values: Sequence[int]) -> bytes:
    """Each after its length, all packed at once."""
    flat = [size] * (2 * len(values))
    flat[1::2] = values
    return _array(oid, len(values), pack(">" + ("i" + code) * len(values), *flat))


def _array(oid: int, count: int, items: bytes) -> bytes:
    """``items``: each with its length before it."""
    return _HEAD.pack(1, 0, oid, count, 1) + items if count else pack(">iiI", 0, 0, oid)


class _Encoded(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        return bytes(obj)


class _UuidsDumper(_Encoded):
    oid = 2951


class _Int4sDumper(_Encoded):
    oid = 1007


class _InstantsDumper(_Encoded):
    oid = 1185


def register(connection: Connection[Any]) -> None:
    """Let a connection take these arrays as parameters."""
    connection.adapters.register_dumper(Uuids, _UuidsDumper)
    connection.adapters.register_dumper(Int4s, _Int4sDumper)
    connection.adapters.register_dumper(Instants, _InstantsDumper)
