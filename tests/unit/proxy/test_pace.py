"""The pace of one client."""

import socket
import struct

import pytest

from gateway.proxy.pace import BodyPace, Pace
from tests.helpers.transport import FakeTransport


def test_reading_is_paused_and_resumed_once() -> None:
    """The transport, which does not bear it twice, is told of changes only, and of none once it closes."""
    transport = FakeTransport()
    pace = Pace(transport, 0.0)
    pace.regulate(is_paused=False)
    pace.regulate(is_paused=True)
    pace.regulate(is_paused=True)
    assert transport.is_paused
    pace.regulate(is_paused=False)
    assert not transport.is_paused
    transport.close()
    pace.regulate(is_paused=True)
    assert not transport.is_paused


def test_a_move_is_a_change_of_what_is_unsent() -> None:
    """Growing counts as well as shrinking: only standing still is standing still."""
    transport = FakeTransport()
    pace = Pace(transport, 1.0)
    moves = []
    for now, unsent in ((2.0, 0), (3.0, 10), (4.0, 10), (5.0, 4), (6.0, 4), (7.0, 0)):
        transport.unsent = unsent
        assert pace.look(now) == unsent
        moves.append(pace.moved)
    assert moves == [1.0, 3.0, 3.0, 5.0, 5.0, 7.0]


def test_a_reset_is_set_before_the_close() -> None:
    """The kernel sends RST instead of FIN."""
    transport = FakeTransport()
    Pace(transport, 0.0).reset()
    assert transport.get_extra_info("socket").option == (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert transport.is_aborted


@pytest.mark.parametrize(("pieces", "slow_after"), [
    ((0,) * 20, 11),
    ((1000,) * 100, None),
    ((500,) * 100, 20),
    ((1_000_000, *(0,) * 20), 11),
])
def test_a_body_must_keep_its_rate(pieces: tuple[int, ...], slow_after: int | None) -> None:
    """Bytes earn time and a burst earns no more than the grace."""
    pace = BodyPace(0.0, grace=10.0, rate=1000)
    for second, size in enumerate(pieces, 1):
        pace.received += size
        if pace.is_slow(float(second), is_held=False):
            assert second == slow_after
            return
    assert slow_after is None


def test_a_body_that_is_held_back_spends_no_time() -> None:
    """Only the seconds in which it was read count."""
    pace = BodyPace(0.0, grace=10.0, rate=1000)
    assert not pace.is_slow(9.0, is_held=False)
    assert not pace.is_slow(900.0, is_held=True)
    assert not pace.is_slow(901.0, is_held=False)
    assert pace.is_slow(901.1, is_held=False)
