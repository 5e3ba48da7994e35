"""Request ids."""

import os

from gateway.proxy.ids import BUFFERED_IDS, RequestIds


def test_an_id_is_128_bit_in_hexadecimal() -> None:
    """Each id is 16 bytes of the entropy, in order."""
    ids = RequestIds(lambda size: bytes(range(16)) * (size // 16))
    assert ids.take() == b"000102030405060708090a0b0c0d0e0f"


def test_no_id_comes_twice() -> None:
    """Ids differ within a buffer and from buffer to buffer."""
    ids = RequestIds(os.urandom)
    count = 3 * BUFFERED_IDS
    assert len({ids.take() for _ in range(count)}) == count


def test_entropy_is_asked_for_in_bulk() -> None:
    """One call serves many ids."""
    calls: list[int] = []

    def entropy(size: int) -> bytes:
        calls.append(size)
        return os.urandom(size)

    ids = RequestIds(entropy)
    for _ in range(BUFFERED_IDS):
        ids.take()
    assert calls == [16 * BUFFERED_IDS]
    ids.take()
    assert len(calls) == 2
