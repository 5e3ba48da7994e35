"""What the demo says when something is not as it must be: one sentence, no traceback."""

from gateway.errors import SluicegateError


class NotSeen(SluicegateError):
    """Names the expected thing that the walk did not see."""


class DidNotStart(SluicegateError):
    """Says that the site or the gateway is not running, and why."""


def expect(is_seen: object, what: str) -> None:
    """Raise `NotSeen` unless it is so."""
    if not is_seen:
        raise NotSeen(what)
