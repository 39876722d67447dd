"""Secrets made at set-up: who seals, who opens, who signs.

Text forms, so that they fit a setting or a file: a sealing key is ``id:base64``; several are
parted by white space, the first is the one that new batches are sealed to.
"""

import secrets
from base64 import b64decode, b64encode
from hashlib import sha256

from nacl.public import PrivateKey, PublicKey
from nacl.signing import SigningKey, VerifyKey

API_KEY_PREFIX = "mr_"


def new_seal_key() -> str:
    """A fresh private sealing key as ``id:base64``."""
    private = PrivateKey.generate()
    return f"{secrets.token_hex(4)}:{b64encode(bytes(private)).decode()}"


def public_seal_key(private_text: str) -> str:
    """The public ``id:base64`` of a private one."""
    key_id, _, encoded = private_text.partition(":")
    private = PrivateKey(b64decode(encoded))
    return f"{key_id}:{b64encode(bytes(private.public_key)).decode()}"


def read_private_keys(text: str) -> dict[str, PrivateKey]:
    """Every private sealing key of a setting, by id. Raises ValueError."""
    return {key_id: PrivateKey(raw) for key_id, raw in map(_split, text.split())}


def read_public_key(text: str) -> tuple[str, PublicKey]:
    """(id, key) of a public sealing key. Raises ValueError."""
    key_id, raw = _split(text)
    return key_id, PublicKey(raw)


def _split(text: str) -> tuple[str, bytes]:
    key_id, separator, encoded = text.partition(":")
    if not separator or not key_id:
        raise ValueError("a sealing key is written id:base64")
    raw = b64decode(encoded, validate=True)
    if len(raw) != 32:
        raise ValueError("a sealing key has 32 bytes")
    return key_id, raw


def new_signing_key() -> str:
    """A fresh Ed25519 seed in base64."""
    return b64encode(bytes(SigningKey.generate())).decode()


def read_signing_key(text: str) -> SigningKey:
    """The core's signing key. Raises ValueError."""
    return SigningKey(b64decode(text, validate=True))


def public_signing_key(text: str) -> str:
    """What an edge pins, in base64."""
    return b64encode(bytes(read_signing_key(text).verify_key)).decode()


def read_verify_key(text: str) -> VerifyKey:
    """The core's public key as an edge pins it. Raises ValueError."""
    return VerifyKey(b64decode(text, validate=True))


def new_api_key() -> str:
    """256 random bits, shown once."""
    return API_KEY_PREFIX + secrets.token_urlsafe(32)


def api_key_digest(key: str) -> bytes:
    """What is stored and compared: SHA-256 of the key's text."""
    return sha256(key.encode()).digest()
