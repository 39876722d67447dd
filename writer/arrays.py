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


class Uuids(bytes):
    """A ``uuid[]``."""


class Int4s(bytes):
    """An ``int4[]``."""


class Instants(bytes):
    """A ``timestamptz[]``."""


def uuids(values: Sequence[int]) -> Uuids:
    """UUIDs given as 128-bit integers."""
    return Uuids(_array(_UUID, 16, [value.to_bytes(16) for value in values]))


def int4s(values: Sequence[int]) -> Int4s:
    """32-bit integers."""
    return Int4s(_array(_INT4, 4, [pack(">i", value) for value in values]))


def instants(values: Iterable[int]) -> Instants:
    """Instants in µs since 1970."""
    return Instants(_array(_TIMESTAMPTZ, 8, [pack(">q", at - PG_EPOCH_US) for at in values]))


def _array(oid: int, size: int, items: list[bytes]) -> bytes:
    if not items:
        return pack(">iiI", 0, 0, oid)
    length = pack(">i", size)
    return _HEAD.pack(1, 0, oid, len(items), 1) + length + length.join(items)


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
