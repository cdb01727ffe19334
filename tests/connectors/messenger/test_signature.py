"""Meta's signature: known values, one variant at a time, and nothing believed by accident."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.messenger.signature import proof, sign, verified

BODY = '{"object":"page","entry":[{"id":"1","messaging":[{"message":{"text":"Xin chào"}}]}]}'.encode()
SECRET = "s3cret"
SHA256 = sign(BODY, SECRET)
SHA1 = sign(BODY, SECRET, "sha1")


def test_known_values() -> None:
    """RFC 4231, test case 2, and RFC 2202, test case 2: the same key and the same words."""
    words, key = b"what do ya want for nothing?", "Jefe"
    assert sign(words, key) == "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert sign(words, key, "sha1") == "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
    assert proof(words.decode(), key) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_the_right_signature() -> None:
    assert verified(BODY, SECRET, sha256=SHA256, sha1=None) == "sha256"
    assert verified(BODY, SECRET, sha256=SHA256, sha1="sha1=nonsense") == "sha256"


def test_sha1_is_believed_only_when_asked_for_and_alone() -> None:
    assert verified(BODY, SECRET, sha256=None, sha1=SHA1) is None
    assert verified(BODY, SECRET, sha256=None, sha1=SHA1, allow_sha1=True) == "sha1"
    assert verified(BODY, SECRET, sha256="sha256=00", sha1=SHA1, allow_sha1=True) is None


@pytest.mark.parametrize(
    "header", [None, "", "sha256=", "sha256", SHA256[:-1], SHA256.removeprefix("sha256="), "sha256=ạ", SHA1]
)
def test_a_wrong_signature(header: str | None) -> None:
    assert verified(BODY, SECRET, sha256=header, sha1=None) is None


def test_no_secret_believes_nothing() -> None:
    assert verified(BODY, "", sha256=sign(BODY, ""), sha1=None) is None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(min_size=1, max_size=200), st.integers(min_value=0, max_value=7), st.data())
def test_one_bit_changes_everything(body: bytes, bit: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(min_value=0, max_value=len(body) - 1))
    changed = bytearray(body)
    changed[place] ^= 1 << bit
    assert verified(bytes(changed), SECRET, sha256=sign(body, SECRET), sha1=None) is None
