"""Small mmdb files for tests: a binary tree of IPv4 prefixes over a section of records."""

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"
_STRING, _UINT16, _UINT32, _MAP, _UINT64, _ARRAY = 2, 5, 6, 7, 9, 11
_BYTES = {_UINT16: 2, _UINT32: 4, _UINT64: 8}


def write_mmdb(path: Path, records: Mapping[str, Mapping[str, Any]]) -> None:
    """A file with one record a network (``203.0.113.0/24``)."""
    nodes: list[list[int | None]] = [[None, None]]
    data = b""
    leaves: list[tuple[int, int, int]] = []
    for name, record in records.items():
        node, bit = _walk(nodes, name)
        leaves.append((node, bit, len(data)))
        data += _encode(record)
    count = len(nodes)
    for node, bit, offset in leaves:
        nodes[node][bit] = count + 16 + offset
    tree = b"".join(
        (count if target is None else target).to_bytes(3) for pair in nodes for target in pair
    )
    path.write_bytes(tree + bytes(16) + data + _MARKER + _encode(_about(count)))


def _walk(nodes: list[list[int | None]], name: str) -> tuple[int, int]:
    network = ip_network(name)
    bits = f"{int(network.network_address):032b}"[: network.prefixlen]
    node = 0
    for bit in map(int, bits[:-1]):
        following = nodes[node][bit]
        if following is None:
            nodes.append([None, None])
            following = nodes[node][bit] = len(nodes) - 1
        node = following
    return node, int(bits[-1])


def _about(count: int) -> dict[str, Any]:
    return {
        "node_count": (_UINT32, count),
        "record_size": (_UINT16, 24),
        "ip_version": (_UINT16, 4),
        "database_type": "tiny",
        "languages": ["en"],
        "binary_format_major_version": (_UINT16, 2),
        "binary_format_minor_version": (_UINT16, 0),
        "build_epoch": (_UINT64, 1),
        "description": {"en": "for tests"},
    }


def _encode(value: Any) -> bytes:
    if isinstance(value, str):
        raw = value.encode()
        return _control(_STRING, len(raw)) + raw
    if isinstance(value, tuple):
        kind, number = value
        return _control(kind, _BYTES[kind]) + int(number).to_bytes(_BYTES[kind])
    if isinstance(value, list):
        return _control(_ARRAY, len(value)) + b"".join(map(_encode, value))
    pairs = b"".join(_encode(key) + _encode(item) for key, item in value.items())
    return _control(_MAP, len(value)) + pairs


def _control(kind: int, size: int) -> bytes:
    assert size < 29
    return bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])
