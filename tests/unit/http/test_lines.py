"""What field lines mean to any message; how heads use them is tested with the heads."""

import pytest

from gateway.http.lines import (
    check_octets,
    connection_options,
    framing,
    gather,
    is_persistent,
    split_lines,
    switches_to_websocket,
)


def marked(*lines: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Return lines as they are found in a head."""
    return split_lines(b"\r\n" + b"".join(line + b"\r\n" for line in lines), ValueError)


class TestLines:
    def test_a_line_is_split_at_its_first_colon(self) -> None:
        """The blanks before a value are none of it; those behind it still are."""
        assert marked(b"A: \t1:2 \t", b"B:") == [(b"A: \t1:2 \t", b"A", b"1:2 \t"), (b"B:", b"B", b"")]
        assert split_lines(b"\r\n", ValueError) == []

    @pytest.mark.parametrize("line", [b"", b"A", b": 1", b"A : 1", b" A: 1", b"(A): 1"])
    def test_a_line_without_a_name_is_refused(self, line: bytes) -> None:
        """In the words of whoever asked."""
        with pytest.raises(ValueError, match="no valid name"):
            marked(line)

    def test_values_are_gathered_by_name(self) -> None:
        """Names in any case are one, other spellings their own, blanks are gone; a tab behind a value is not."""
        found = gather(marked(b"A: 1 ", b"a: 2", b"A_: 3", b"B:\tx\t"))
        assert found == {b"a": [b"1", b"2"], b"a_": [b"3"], b"b": [b"x\t"]}

    @pytest.mark.parametrize("head", [b"a\x00", b"a\x7f", b"a\rb\r\n", b"a\nb", b"a\r\r\n", b"a\n\r\n"])
    def test_illegal_octets_are_refused(self, head: bytes) -> None:
        """Controls, and CR or LF without the other."""
        with pytest.raises(ValueError, match="The head holds"):
            check_octets(head, ValueError)

    @pytest.mark.parametrize("head", [b"", b"a\r\n", b"a\xff\t\r\nb\r", b"\r"])
    def test_what_may_become_a_head_is_not(self, head: bytes) -> None:
        """A CR at the end may be half of a line's end."""
        check_octets(head, ValueError)


class TestMeaning:
    @pytest.mark.parametrize(("lines", "expected"), [
        ((), (None, False)),
        ((b"Content-Length: 00012",), (12, False)),
        ((b"Transfer-Encoding: Chunked ",), (None, True)),
    ])
    def test_framing_is_a_length_or_chunks(self, lines: tuple[bytes, ...], expected: tuple[int | None, bool]) -> None:
        """Or neither."""
        assert framing(gather(marked(*lines)), ValueError, is_http_10=False) == expected

    @pytest.mark.parametrize(("lines", "is_http_10"), [
        ((b"Content-Length: 1", b"content-length: 1"), False), ((b"Content-Length: 1\t",), False),
        ((b"Transfer-Encoding: chunked\t",), False), ((b"Transfer-Encoding: chunked",), True),
        ((b"Content-Length: 1", b"Transfer-Encoding: chunked"), False),
    ])
    def test_anything_doubtful_is_refused(self, lines: tuple[bytes, ...], is_http_10: bool) -> None:
        """No two readers shall see two bodies."""
        with pytest.raises(ValueError, match=r"exclude|The "):
            framing(gather(marked(*lines)), ValueError, is_http_10=is_http_10)

    @pytest.mark.parametrize(("values", "is_http_10", "expected"), [
        ([], False, True), ([], True, False), ([b"keep-alive"], True, True), ([b"keep-alive"], False, True),
        ([b"close"], False, False), ([b"keep-alive, close"], True, False), ([b"keep-alive", b"Close"], False, False),
        ([b"x"], False, True), ([b"x, Keep-Alive"], True, True),
    ])
    def test_a_connection_lasts_as_its_options_say(self, values: list[bytes], is_http_10: bool, expected: bool) -> None:
        """Close wins; without an option the version decides (RFC 9112 9.3)."""
        found = {b"connection": values} if values else {}
        assert is_persistent(found, is_http_10=is_http_10) is expected

    def test_options_are_listed_in_lower_case(self) -> None:
        """From all fields, blanks gone, empty ones too many to matter."""
        assert connection_options([b"A ,\tb", b"", b"C"]) == [b"a", b"b", b"", b"c"]

    def test_a_switch_needs_both_fields(self) -> None:
        """One protocol, and the option."""
        assert switches_to_websocket({b"upgrade": [b"WebSocket"], b"connection": [b"x, Upgrade"]})
        assert not switches_to_websocket({b"upgrade": [b"websocket"]})
        assert not switches_to_websocket({b"connection": [b"upgrade"]})
