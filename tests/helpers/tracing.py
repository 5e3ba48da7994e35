"""Which functions of the gateway a piece of work enters."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

HOME = Path(__file__).parents[2] / "gateway"


def calls(what: Callable[[], object]) -> list[tuple[str, str]]:
    """Return module and function of each call of the gateway's own code, in order."""
    made: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(HOME):
            made.append((path.stem, frame.f_code.co_name))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        what()
    finally:
        sys.setprofile(before)
    return made
