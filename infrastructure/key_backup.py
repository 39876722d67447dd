"""A copy of the core's keys that can lie anywhere: sealed with a passphrase."""

from base64 import b64decode, b64encode

from nacl import pwhash, utils
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from infrastructure.problem import Problem

_FIRST_LINE = "millrace-keys-1"
_SALT_BYTES = pwhash.argon2id.SALTBYTES


def seal_backup(keys: str, passphrase: str) -> str:
    """The text to keep: a first line that says what it is, then base64."""
    salt = utils.random(_SALT_BYTES)
    sealed = salt + bytes(_box(passphrase, salt).encrypt(keys.encode()))
    return f"{_FIRST_LINE}\n{b64encode(sealed).decode()}\n"


def is_sealed(text: str) -> bool:
    """Whether a passphrase is needed to read a backup."""
    return text.startswith(_FIRST_LINE)


def open_backup(text: str, passphrase: str) -> str:
    """The keys in a sealed backup. Raises Problem."""
    try:
        sealed = b64decode(text.removeprefix(_FIRST_LINE).strip(), validate=True)
        salt, box = sealed[:_SALT_BYTES], sealed[_SALT_BYTES:]
        return _box(passphrase, salt).decrypt(box).decode()
    except (CryptoError, ValueError) as error:
        raise Problem("The backup does not open: wrong passphrase, or a damaged file.") from error


def _box(passphrase: str, salt: bytes) -> SecretBox:
    return SecretBox(pwhash.argon2id.kdf(SecretBox.KEY_SIZE, passphrase.encode(), salt))
