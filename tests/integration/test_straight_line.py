"""The guard's part of the straight line, as gateway/README.md draws it: a whole gateway, and a live session."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from gateway.model import Secret
from tests.helpers.stage import shop_stage

ROOT = Path(__file__).parents[2]
HOME = ROOT / "gateway"


def drawn() -> list[str]:
    """Return the modules in the guard's brackets, the guard first."""
    match = re.search(r"^request: `.*?(guard) \[([^]]+)\] = Pass", (HOME / "README.md").read_text(encoding="utf-8"),
                      re.MULTILINE)
    assert match is not None
    return [match[1], *(each.split()[0].partition(".")[0] for each in match[2].split(" → "))]


def traced(ways: list[list[str]]) -> Callable[[FrameType, str, object], None]:
    """Return a profiler that notes each request's modules of the gateway from a client's bytes to the app's.

    Every module once, in the order in which it is entered.
    """
    arrived: list[FrameType] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        code, path = frame.f_code, Path(frame.f_code.co_filename)
        if event == "c_call" and arrived and getattr(argument, "__name__", "") == "write":
            arrived.clear()
        if event not in ("call", "return") or not path.is_relative_to(HOME):
            return
        if event == "call" and not arrived and (path.stem, code.co_name) == ("client", "data_received"):
            arrived.append(frame)
            ways.append([])
        elif event == "return" and frame in arrived:
            arrived.clear()
        if arrived and event == "call" and path.stem not in ways[-1]:
            ways[-1].append(path.stem)

    return note


async def test_the_guard_of_a_live_session_is_as_drawn(database: Secret, tmp_path: Path) -> None:
    """Between the client's bytes and those to the app, once the browser is known and the connection is warm."""
    ways: list[list[str]] = []
    async with shop_stage(database, tmp_path, "sql", app="identity = true") as scene:
        scene.shop.set_password("alice", "a Hare")
        browser = scene.browser()
        assert (await scene.log_in(browser, "alice", "a Hare")).status == 302
        before = sys.getprofile()
        for _ in range(3):  # the first makes what later ones find
            sys.setprofile(traced(ways))
            try:
                assert (await browser.get("/")).status == 200
            finally:
                sys.setprofile(before)
        assert scene.shop.got[-1].values("x-forwarded-user") == ["alice"]
    way = ways[-1]
    assert way[way.index("guard"):way.index("passage")] == drawn()
