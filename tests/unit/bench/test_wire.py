from tests.bench.wire import REQUEST_BYTES, Answer, browser_request, login_request


def test_every_proxy_gets_a_request_of_the_same_size() -> None:
    """A request is filled up, whatever its port and its credentials are."""
    requests = [browser_request(80), browser_request(65000, cookie="auth=" + "t" * 200),
                browser_request(8080, "/big", token="t" * 300)]
    assert [len(request) for request in requests] == [REQUEST_BYTES] * 3
    assert b"\r\nCookie: auth=" + b"t" * 200 + b"; app_session=1; prefs=x" in requests[1]
    assert b"\r\nAuthorization: Bearer " + b"t" * 300 + b"\r\n" in requests[2]


def test_long_credentials_are_sent_whole() -> None:
    """Credentials that do not fit make the request longer, not shorter themselves."""
    request = browser_request(80, cookie="a" * 900)
    assert b"a" * 900 in request
    assert request.endswith(b"prefs=\r\n\r\n")
    assert len(request) > REQUEST_BYTES


def test_logins_are_framed() -> None:
    """The body of a login has the length that its head says."""
    head, _, body = login_request(80, "alice", "secret").partition(b"\r\n\r\n")
    assert body == b"user=alice&pass=secret"
    assert f"Content-Length: {len(body)}".encode() in head.splitlines()


def test_cookies_of_an_answer() -> None:
    """What an answer sets is known by name, without attributes."""
    answer = Answer(status=302, fields=(("set-cookie", "a=1; Path=/"), ("location", "/"), ("set-cookie", "b=2==")),
                    body=b"")
    assert answer.cookies == {"a": "1", "b": "2=="}
