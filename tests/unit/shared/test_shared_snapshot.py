"""The signed snapshot: only the pinned core can make one."""

import pytest
from nacl.signing import SigningKey

from shared.snapshot import Forged, SiteRules, Snapshot, sign, verify

KEY = SigningKey.generate()
SNAPSHOT = Snapshot(
    epoch=1, version=2, issued_at=3, seal_keys=("id:key",), sites=(SiteRules("example.com"),)
)


def test_what_the_core_signed_is_read_back() -> None:
    assert verify(sign(SNAPSHOT, KEY), KEY.verify_key) == SNAPSHOT


@pytest.mark.parametrize("flipped", [0, 10, -1])
def test_one_changed_byte_is_a_forgery(flipped: int) -> None:
    raw = bytearray(sign(SNAPSHOT, KEY))
    raw[flipped] ^= 1
    with pytest.raises(Forged):
        verify(bytes(raw), KEY.verify_key)


def test_another_cores_signature_is_a_forgery() -> None:
    with pytest.raises(Forged):
        verify(sign(SNAPSHOT, SigningKey.generate()), KEY.verify_key)


def test_a_later_epoch_comes_after_every_version_of_an_earlier_one() -> None:
    assert Snapshot(2, 1, 0, ()).order > Snapshot(1, 999, 0, ()).order
