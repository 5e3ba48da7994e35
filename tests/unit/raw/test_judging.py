"""The judges: everything that an attack could gain is a danger, and a case's own words are kept to."""

from dataclasses import replace

import pytest

from tests.raw.cases import HIDDEN, Bullet, Case, Got, bad_gateway, passes, request
from tests.raw.judging import complaints, dangers
from tests.raw.playing import Seen
from tests.raw.reading import read_requests
from tests.raw.recording import Recorded

CASE = Case(name="a", bullet=Bullet.HOST, source="b", sends=(request(),), want=passes(Got()))
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


def page(text: bytes) -> bytes:
    return PAGE % (len(text), text)


def recorded(wire: bytes) -> Recorded:
    return Recorded(wire=wire, requests=read_requests(wire)[0])


GOOD = Seen(client=page(b"GET /"), end="open", following=page(b"GET /next"), victim=page(b"GET /victim"),
            app=(recorded(request() + request(target=b"/next")), recorded(request(target=b"/victim"))))
DANGERS = [
    {"app": (recorded(request() + HIDDEN),)},
    {"app": (Recorded(wire=request(b"X-A : 1")),)},
    {"app": (Recorded(wire=HIDDEN[:-2]),)},
    {"client": page(b"GET /") + page(b"smuggled")},
    {"client": b"HTTP/1.1 200 OK\r\nX-A: smuggled\r\nContent-Length: 0\r\n\r\n"},
    {"client": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"},
    {"client": b"HTTP/1.1 101 Switching Protocols\r\n\r\n"},
    {"following": page(b"GET /victim")},
    {"victim": page(b"GET /")},
    {"victim": b""},
]


def test_a_good_dialogue_is_neither_dangerous_nor_wrong() -> None:
    """The judges let pass what is as it should be."""
    assert list(dangers(CASE, GOOD)) == list(complaints(CASE, GOOD)) == []


@pytest.mark.parametrize("change", DANGERS)
def test_each_gain_of_an_attack_is_a_danger(change: dict[str, object]) -> None:
    """Smuggled, split, swapped or ambiguous: all of it is seen."""
    assert list(dangers(CASE, replace(GOOD, **change)))  # type: ignore[arg-type]


def test_a_hidden_request_that_the_proxy_read_is_the_clients_next_one() -> None:
    """What carries the proxy's own fields was no secret to it; the gateway must still not pass it on."""
    seen = replace(GOOD, app=(recorded(request() + request(b"X-Forwarded-For: 127.0.0.1", target=b"/smuggled")),))
    assert not list(dangers(CASE, seen))
    assert list(complaints(CASE, seen)) == ["the app got 2 whole requests instead of 1"]


@pytest.mark.parametrize(("case", "change"), [
    (replace(CASE, want=bad_gateway()), {}),
    (CASE, {"end": "closed", "following": None}),
    (replace(CASE, want=passes(Got(target=b"/other"))), {}),
    (replace(CASE, want=passes(Got(body=b"x"))), {}),
    (replace(CASE, want=passes(Got(has=((b"x-a", b"1"),)))), {}),
    (replace(CASE, want=passes(Got(lacks=(b"host",)))), {}),
    (replace(CASE, want=passes(Got(), interim=(100,))), {}),
    (replace(CASE, want=passes(Got(), lacks=(b"OK",))), {}),
    (replace(CASE, want=replace(passes(Got()), has=(b"Set-Cookie",))), {}),
    (replace(CASE, want=replace(passes(Got()), body=b"x")), {}),
    (replace(CASE, want=replace(passes(Got()), tunnel=b"x")), {}),
])
def test_the_gateway_is_held_to_each_word_of_a_case(case: Case, change: dict[str, object]) -> None:
    """A status, an end, a request, a field, a body that differs is a complaint."""
    assert list(complaints(case, replace(GOOD, **change)))  # type: ignore[arg-type]
