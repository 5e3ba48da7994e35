"""The pace of one client."""

import socket
import struct

from gateway.proxy.pace import Pace
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
