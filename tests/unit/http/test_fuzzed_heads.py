"""The fuzzer of heads and chunked bodies, for a moment; `python -m tests.fuzz.heads` runs it at length."""

from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.heads import CHECKS, SEEDS, Difference, batch, compare, same
from tests.fuzz.readers import NEXT_REQUEST, Reading, h11_request, llhttp_request

FOUND = sorted(SEEDS.glob("*.bin"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_once_differed_does_no_more(path: Path) -> None:
    """Each head that the fuzzer ever found stays mended."""
    CHECKS[path.name.partition("-")[0]](path.read_bytes(), Counter())


@pytest.mark.parametrize("number", range(3))
def test_nobody_reads_another_message(number: int) -> None:
    """A thousand heads and bodies: both of our ways, h11 and llhttp agree on all that we accept."""
    verdicts, failures = batch((2025, number, 1000))
    assert not failures
    assert verdicts["request   ours accepted"] > 100
    assert verdicts["request   ours 400"] > 100
    assert verdicts["response  ours accepted"] > 80
    assert verdicts["chunked   ours accepted"] > 40


class TestTheFuzzerItself:
    def test_it_sees_another_end_of_the_body(self) -> None:
        """A reader that takes another length is caught, as is one that sees the next message elsewhere."""
        wire = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + NEXT_REQUEST
        fields = [(b"host", b"a"), (b"content-length", b"3")]
        ours = Reading((b"POST", b"/"), fields, b"abc", is_whole=True, rest=NEXT_REQUEST)
        compare("h11", ours, h11_request(wire))
        with pytest.raises(Difference):
            compare("h11", ours, h11_request(wire.replace(b"abc", b"ab")))
        with pytest.raises(Difference):
            compare("llhttp", ours, llhttp_request(wire[:-len(NEXT_REQUEST)], b"x" + NEXT_REQUEST))

    def test_it_sees_a_refusal(self) -> None:
        """Whoever refuses what we accept is caught."""
        raw = b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"
        assert (h11_request(raw), llhttp_request(raw)) == (None, None)
        with pytest.raises(Difference, match="refuses"):
            compare("h11", Reading((b"GET", b"/"), []), h11_request(raw))

    def test_it_sees_another_field(self) -> None:
        """Both of our ways must say exactly the same."""
        same("equal", (1, b"a"), (1, b"a"))
        with pytest.raises(Difference, match="unequal"):
            same("unequal", (1, b"a"), (1, b"b"))
