"""Sealed values open under their key and for their context, and otherwise say what is wrong."""

import base64
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Secret
from gateway.tokens.envelope import HEADER_BYTES, EnvelopeError, KeyEncryptionKey, Tampered, WrongKey, derive

KEY = bytes(range(32))
NONCE = bytes(12)
KEK = KeyEncryptionKey(KEY)


def test_a_sealed_value_opens_for_its_context() -> None:
    """What was sealed comes back."""
    assert KEK.open(KEK.seal(b"plain", context=b"row 1", nonce=NONCE), context=b"row 1") == b"plain"


@given(plain=st.binary(max_size=99), context=st.binary(max_size=9), nonce=st.binary(min_size=12, max_size=12))
def test_any_value_comes_back(plain: bytes, context: bytes, nonce: bytes) -> None:
    """Every value, empty ones included, survives sealing."""
    assert KEK.open(KEK.seal(plain, context=context, nonce=nonce), context=context) == plain


def test_the_ciphertext_is_that_of_the_gcm_specification() -> None:
    """Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", comes out bit by bit."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    context = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    ciphertext = bytes.fromhex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    sealed = KeyEncryptionKey(key).seal(plain, context=context, nonce=nonce)
    assert sealed[HEADER_BYTES:] == nonce + ciphertext


def test_another_key_is_named_as_the_cause() -> None:
    """A value sealed under another key raises WrongKey, which is not "damaged"."""
    sealed = KeyEncryptionKey(bytes(32)).seal(b"plain", context=b"row", nonce=NONCE)
    with pytest.raises(WrongKey):
        KEK.open(sealed, context=b"row")


def test_a_value_moved_to_another_row_does_not_open() -> None:
    """The context is authenticated."""
    sealed = KEK.seal(b"plain", context=b"row 1", nonce=NONCE)
    with pytest.raises(Tampered):
        KEK.open(sealed, context=b"row 2")


@given(position=st.integers(min_value=0, max_value=21 + 5), bit=st.integers(min_value=0, max_value=7))
def test_no_flipped_bit_goes_unnoticed(position: int, bit: int) -> None:
    """A change anywhere, header included, raises an EnvelopeError and nothing else."""
    sealed = bytearray(KEK.seal(b"plain", context=b"row", nonce=NONCE))
    sealed[position] ^= 1 << bit
    with pytest.raises(EnvelopeError):
        KEK.open(bytes(sealed), context=b"row")


@given(st.binary(max_size=60))
def test_foreign_bytes_are_refused_and_never_crash(sealed: bytes) -> None:
    """Whatever lies in the store, opening it raises an EnvelopeError."""
    with pytest.raises(EnvelopeError):
        KEK.open(sealed, context=b"")


@pytest.mark.parametrize("length", [0, 1, 17, 32])
def test_a_cut_value_is_refused(length: int) -> None:
    """Any prefix of a sealed value is tampered with."""
    with pytest.raises(Tampered):
        KEK.open(KEK.seal(b"", context=b"row", nonce=NONCE)[:length], context=b"row")


def test_a_nonce_of_another_size_is_a_mistake_of_the_caller() -> None:
    """GCM hashes other nonces, so they are refused."""
    with pytest.raises(ValueError, match="12 bytes"):
        KEK.seal(b"plain", context=b"row", nonce=bytes(16))


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(KEY).decode(),
        base64.b64encode(KEY).decode() + "\n",
        base64.b64encode(KEY).decode().rstrip("="),
        KEY.hex(),
        KEY.hex().upper() + "\r\n",
    ],
)
def test_base64_and_hexadecimal_text_are_read(text: str) -> None:
    """What `openssl rand -base64 32` and `-hex 32` write, trailing line end included, is the same key."""
    sealed = KEK.seal(b"plain", context=b"row", nonce=NONCE)
    assert KeyEncryptionKey.parse(Secret(text)).open(sealed, context=b"row") == b"plain"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "z" * 64,
        "é" * 43,
        base64.b64encode(KEY[:31]).decode(),
        base64.b64encode(KEY + b"x").decode(),
        "not base64 at all, 44 characters long, yes!!",
    ],
)
def test_other_text_is_refused_with_what_to_do(text: str) -> None:
    """The error says how to make a key and holds nothing of the value, its causes included."""
    with pytest.raises(ValueError, match="openssl rand -base64 32") as caught:
        KeyEncryptionKey.parse(Secret(text))
    assert not text or text not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_key_shows_itself_nowhere() -> None:
    """Neither repr nor pickle gives the key away, and its id is no plain digest of it."""
    assert repr(KEK) == str(KEK) == "KeyEncryptionKey(***)"
    with pytest.raises(TypeError):
        pickle.dumps(KEK)


def test_derivation_is_hkdf() -> None:
    """RFC 5869 test case 3 (no salt, no info) gives its first 32 bytes."""
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    assert derive(bytes([0x0B]) * 22, b"").hex() == expected


def test_each_label_gives_another_key() -> None:
    """Sub-keys of one key are independent."""
    assert derive(KEY, b"one") != derive(KEY, b"two")
