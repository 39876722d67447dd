"""The batch: envelopes flushed together, one entry of a Redis stream.

Outside, every field but ``body`` is plain so that the drain and the ledger can work with sealed
batches; inside, the body repeats them, and the writer believes only that copy.
"""

import io
import threading
from collections.abc import Mapping
from typing import Annotated

import msgspec
import zstandard
from msgspec import Meta
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from shared.envelope import Envelope
from shared.receipt import MAX_BOOT, MAX_SEQ

VERSION = 1
MAX_BYTES = 256 * 1024
"""Sealed size aimed at; one larger beacon makes a batch alone."""
MAX_UNPACKED_BYTES = 8 * 1024 * 1024
MAX_EVENTS = 65_536

Number = Annotated[int, Meta(ge=0, le=MAX_SEQ)]
"""A batch's number, or 0 for none."""


class Header(msgspec.Struct, array_like=True, frozen=True):
    """Everything of a batch but its envelopes.

    ``key``: id of the public key it is sealed to. ``boot``: 48 random bits of the worker start.
    ``seq``: 1, 2, 3… within the boot. ``n``: events. ``low``: the boot holds nothing at or below
    it. ``void``: numbers given up with a 503.
    """

    v: int
    key: str
    edge: str
    boot: Annotated[int, Meta(ge=0, le=MAX_BOOT)]
    seq: Annotated[int, Meta(ge=1, le=MAX_SEQ)]
    n: Annotated[int, Meta(ge=0, le=MAX_EVENTS)]
    low: Number
    void: tuple[Number, ...] = ()


class Sealed(msgspec.Struct, array_like=True, frozen=True):
    """What lies in the box."""

    header: Header
    envelopes: list[Envelope]


class DamagedBatch(Exception):
    """The entry cannot be believed; ``reason`` is one of the closed words below."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


MALFORMED = "malformed_entry"
UNKNOWN_KEY = "unknown_key"
UNSEALABLE = "unsealable"
TOO_LARGE = "unpacks_too_large"
MISMATCH = "header_mismatch"

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Sealed)


class _PerThread(threading.local):
    """A compressor that two threads share ends the process."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=1)


_own = _PerThread()


def seal(header: Header, envelopes: list[Envelope], public_key: PublicKey) -> dict[str, bytes]:
    """The fields of the stream entry for these envelopes."""
    plain = _encoder.encode(Sealed(header, envelopes))
    body = SealedBox(public_key).encrypt(_own.compressor.compress(plain))
    return {
        "v": b"%d" % header.v,
        "key": header.key.encode(),
        "edge": header.edge.encode(),
        "boot": b"%012x" % header.boot,
        "seq": b"%d" % header.seq,
        "n": b"%d" % header.n,
        "low": b"%d" % header.low,
        "void": b",".join(b"%d" % number for number in header.void),
        "body": body,
    }


def read_header(fields: Mapping[bytes, bytes]) -> Header:
    """The plain fields of an entry, as yet unproven. Raises DamagedBatch."""
    try:
        return Header(
            v=int(fields[b"v"]),
            key=fields[b"key"].decode(),
            edge=fields[b"edge"].decode(),
            boot=int(fields[b"boot"], 16),
            seq=int(fields[b"seq"]),
            n=int(fields[b"n"]),
            low=int(fields[b"low"]),
            void=tuple(int(number) for number in fields[b"void"].split(b",") if number),
        )
    except (KeyError, ValueError) as error:
        raise DamagedBatch(MALFORMED, type(error).__name__) from error


def open_sealed(fields: Mapping[bytes, bytes], private_keys: Mapping[str, PrivateKey]) -> Sealed:
    """Header and envelopes of an entry, proven by the sealed copy. Raises DamagedBatch."""
    header = read_header(fields)
    private_key = private_keys.get(header.key)
    if private_key is None:
        raise DamagedBatch(UNKNOWN_KEY)
    try:
        packed = SealedBox(private_key).decrypt(fields[b"body"])
        sealed = _decoder.decode(_unpack(packed))
    except KeyError as error:
        raise DamagedBatch(MALFORMED, "no body") from error
    except (
        CryptoError,
        zstandard.ZstdError,
        msgspec.MsgspecError,
        ValueError,
        RecursionError,
        MemoryError,
    ) as error:
        raise DamagedBatch(UNSEALABLE, type(error).__name__) from error
    if sealed.header != header:
        raise DamagedBatch(MISMATCH)
    return sealed


def _unpack(packed: bytes) -> bytes:
    # A stream reader, because one-shot decompression trusts the size the frame declares.
    with zstandard.ZstdDecompressor(max_window_size=1 << 23).stream_reader(
        io.BytesIO(packed)
    ) as reader:
        plain = reader.read(MAX_UNPACKED_BYTES + 1)
    if len(plain) > MAX_UNPACKED_BYTES:
        raise DamagedBatch(TOO_LARGE)
    return plain
