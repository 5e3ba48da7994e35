import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.errors import RequestRefused
from gateway.http.forms import FormKind, is_same_field, loose_name, parse_form

URLENCODED = b"application/x-www-form-urlencoded"
MULTIPART = b"multipart/form-data; boundary=b0undary"

Pairs = list[tuple[str, str]]
TEXT = st.text(st.characters(codec="utf-8"), max_size=30)


def part(disposition: bytes, value: bytes, *head: bytes) -> bytes:
    lines = (b"Content-Disposition: " + disposition, *head)
    return b"--b0undary\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + value + b"\r\n"


def named(name: bytes, value: bytes, *head: bytes) -> bytes:
    return part(b'form-data; name="' + name + b'"', value, *head)


def whole(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b0undary--\r\n"


def refused(content_type: bytes, body: bytes) -> int:
    with pytest.raises(RequestRefused) as refusal:
        parse_form(content_type, body)
    return refusal.value.status


class TestUrlencoded:
    def test_fields_are_read_in_order_with_plus_and_percent_decoded(self) -> None:
        """A browser's form is read as the browser meant it."""
        form = parse_form(URLENCODED, b"username=bob&password=p%26b%3D100%25%2B+bob&next=%2F&username=carol")
        assert form.kind is FormKind.URLENCODED
        assert form.names() == ["username", "password", "next", "username"]
        assert form.values("password") == ["p&b=100%+ bob"]
        assert form.values("username") == ["bob", "carol"]
        assert form.values("absent") == []

    def test_raw_octets_and_escapes_are_the_same_utf8(self) -> None:
        """UTF-8 counts whether it is escaped or not."""
        typed = "Zażółć-gęślą-15€"
        assert parse_form(URLENCODED, f"p={typed}".encode()).values("p") == [typed]
        assert parse_form(URLENCODED, b"p=Za%C5%BC%C3%B3%C5%82%C4%87").values("p") == ["Zażółć"]

    @pytest.mark.parametrize("content_type", [
        b"application/x-www-form-urlencoded; charset=utf-8",
        b"Application/X-WWW-Form-Urlencoded;charset=\"UTF-8\"",
        b"application/x-www-form-urlencoded ; charset=utf8",
    ])
    def test_utf8_may_be_named(self, content_type: bytes) -> None:
        """A charset parameter that names UTF-8 changes nothing."""
        assert parse_form(content_type, b"a=1").values("a") == ["1"]

    @pytest.mark.parametrize("content_type", [
        b"application/json", b"text/plain", b"", b"form", b"application/x-www-form-urlencoded2",
        b"application/x-www-form-urlencoded; charset=iso-8859-1",
        b"application/x-www-form-urlencoded; charset=utf-16",
        b"application/x-www-form-urlencoded; charset=utf-7",
    ])
    def test_other_media_types_and_charsets_are_415(self, content_type: bytes) -> None:
        """What is no form in UTF-8 is not guessed at."""
        assert refused(content_type, b"a=1") == 415

    @pytest.mark.parametrize("content_type", [
        b"application/x-www-form-urlencoded; charset=utf-8; charset=utf-16",
        b"application/x-www-form-urlencoded; boundary=x", b"application/x-www-form-urlencoded; q=1",
        b"application/x-www-form-urlencoded; charset", b"application/x-www-form-urlencoded; charset*=utf-8",
        b"application/x-www-form-urlencoded charset=utf-8", b"application/x-www-form-urlencoded;",
        b"application/x-www-form-urlencoded, text/plain",
    ])
    def test_a_doubtful_content_type_is_400(self, content_type: bytes) -> None:
        """Parameters that parsers may read differently are refused."""
        assert refused(content_type, b"a=1") == 400

    @pytest.mark.parametrize("body", [
        b"%u0070assword=x", b"pass%=x", b"%=1", b"pass%2=x", b"%C1%B0assword=x", b"%FF=1", b"\xff=1",
    ])
    def test_a_name_that_decoders_disagree_about_is_400(self, body: bytes) -> None:
        """ASP.NET reads `%u0070` as a letter, old decoders read overlong UTF-8."""
        assert refused(URLENCODED, body) == 400

    @pytest.mark.parametrize("body", [b"p=%u0061", b"p=100%", b"p=%FF", b"p=%ED%A0%80"])
    def test_a_value_that_cannot_be_read_is_refused_when_it_is_asked_for(self, body: bytes) -> None:
        """Other fields may hold what they like."""
        form = parse_form(URLENCODED, body + b"&q=1")
        assert form.values("q") == ["1"]
        with pytest.raises(RequestRefused) as refusal:
            form.values("p")
        assert refusal.value.status == 400
        assert refusal.value.__cause__ is None
        assert refusal.value.__context__ is None  # a decoding error carries the bytes

    def test_a_semicolon_separates_nothing(self) -> None:
        """Only `&` separates, as browsers write it."""
        assert parse_form(URLENCODED, b"a=1;b=2").values("a") == ["1;b=2"]

    def test_empty_pieces_are_no_fields(self) -> None:
        """Stray separators are kept and count for nothing."""
        form = parse_form(URLENCODED, b"&&a=1&")
        assert form.names() == ["a"]
        assert form.substitute("a", "2") == b"&&a=2&"
        assert parse_form(URLENCODED, b"").names() == []

    def test_a_name_alone_gets_an_equals_sign_with_its_value(self) -> None:
        """`password` is a field without a value; substituting gives it one."""
        form = parse_form(URLENCODED, b"a=1&password&b")
        assert form.values("password") == [""]
        assert form.substitute("password", "x y") == b"a=1&password=x+y&b"

    def test_too_many_fields_are_400(self) -> None:
        """The number of fields is bounded, separators included."""
        fields = b"&".join(b"a=1" for _ in range(10))
        assert len(parse_form(URLENCODED, fields, max_fields=10).names()) == 10
        for body in (fields + b"&a=1", b"&" * 10 + b"a=1"):
            with pytest.raises(RequestRefused) as refusal:
                parse_form(URLENCODED, body, max_fields=10)
            assert refusal.value.status == 400
        assert refused(URLENCODED, b"a&" * 1000 + b"a") == 400

    @pytest.mark.parametrize("name", ["a" + " " * 60_000 + "b", "a" + "\0" * 60_000 + "b", "[]" * 30_000, "." * 60_000])
    def test_a_long_name_costs_no_more_than_its_length(self, name: str) -> None:
        """No pattern goes back and forth over a client's blanks: this would take minutes."""
        form = parse_form(URLENCODED + b" " * 30_000, octets(name) + b"=1")
        assert not any(is_same_field(each, "password") for each in form.names())
        with pytest.raises(RequestRefused):
            parse_form(URLENCODED + b" " * 30_000 + b"x", b"")

    @given(before=st.lists(st.tuples(TEXT, TEXT), max_size=3), after=st.lists(st.tuples(TEXT, TEXT), max_size=3),
           name=TEXT, old=TEXT, new=TEXT)
    def test_substituting_changes_one_value_and_no_other_byte(self, before: Pairs, after: Pairs, name: str,
                                                              old: str, new: str) -> None:
        """Whatever the names and values, the rest of the body stays as it was, and the new value is read back."""
        assume(name not in dict(before) and name not in dict(after) and "_charset_" not in dict(before + after))
        assume(name.lower() != "_charset_")
        head = b"".join(octets(each) + b"=" + octets(value) + b"&" for each, value in before)
        tail = b"".join(b"&" + octets(each) + b"=" + octets(value) for each, value in after)
        form = parse_form(URLENCODED, head + octets(name) + b"=" + octets(old) + tail)
        changed = form.substitute(name, new)
        assert changed.startswith(head + octets(name) + b"=")
        assert changed.endswith(tail)
        again = parse_form(URLENCODED, changed)
        assert again.names() == form.names()
        assert again.values(name) == [new]
        middle = changed[len(head + octets(name)) + 1:len(changed) - len(tail)]
        assert not {b"&", b"=", b" "} & {middle[index:index + 1] for index in range(len(middle))}


def octets(text: str) -> bytes:
    """Escape every octet, as no browser would: what was not substituted must not be normalised."""
    return "".join(f"%{octet:02x}" for octet in text.encode()).encode()


class TestMultipart:
    def test_fields_and_files_are_told_apart(self) -> None:
        """A part with a filename is a file and has no values."""
        body = whole(named(b"username", b"bob"),
        part(b'form-data; name="photo"; filename="me.png"', b"\x89PNG\xff",
                                                      b"Content-Type: image/png"),
                                                      named(b"password", b"p&b=100%+ bob"))
        form = parse_form(MULTIPART, body)
        assert form.kind is FormKind.MULTIPART
        assert form.names() == ["username", "photo", "password"]
        assert form.values("password") == ["p&b=100%+ bob"]
        assert form.values("photo") == []

    def test_the_boundary_may_be_quoted(self) -> None:
        """Both spellings of the parameter name the same boundary."""
        body = whole(named(b"a", b"1"))
        for content_type in (b'multipart/form-data; boundary="b0undary"', b"Multipart/Form-Data;Boundary=b0undary",
                             b"multipart/form-data; charset=utf-8; boundary=b0undary"):
            assert parse_form(content_type, body).values("a") == ["1"]

    def test_an_empty_form_has_no_fields(self) -> None:
        """A form without fields is a closing boundary alone, with or without its line end."""
        assert parse_form(MULTIPART, b"--b0undary--\r\n").names() == []
        assert parse_form(MULTIPART, b"--b0undary--").names() == []

    def test_values_keep_every_line_end(self) -> None:
        """Only the CRLF before a boundary belongs to the boundary."""
        form = parse_form(MULTIPART, whole(named(b"a", b"\r\nx\n\r\n"), named(b"b", b"")))
        assert form.values("a") == ["\r\nx\n\r\n"]
        assert form.values("b") == [""]

    @pytest.mark.parametrize(("written", "name"), [
        (rb"a\"b", 'a"b'), (b"a%22b", 'a"b'), (rb"a\\b", "a\\b"), (b"a%0D%0Ab", "a\r\nb"), (b"a%0a", "a\n"),
        ("zażółć".encode(), "zażółć"), (b"a%41", "a%41"), (b"", ""),
    ])
    def test_names_are_unescaped_as_browsers_escape_them(self, written: bytes, name: str) -> None:
        """Old browsers wrote a backslash, HTML's encoding writes %22, %0D and %0A, and nothing else."""
        assert parse_form(MULTIPART, whole(named(written, b"1"))).names() == [name]

    @pytest.mark.parametrize("disposition", [
        b'form-data; name="pass\\word"', b"form-data; name=password", b'form-data; name*=UTF-8\'\'password',
        b'form-data; name="a"; name="password"', b'form-data; name="a"; name*=UTF-8\'\'b', b"form-data",
        b'form-data; filename="x"', b'form-data; name="a"; filename="x\\"; name="password"',
        b'form-data; name="a"; filename*=UTF-8\'\'x', b'attachment; name="a"', b'form-data; name="a"; x="y"',
        b'form-data; name="a" ; filename="x"', b'form-data; name="a', b'form-data; name="a";', b'form-data name="a"',
        b'form-data; NAME="a"', b'form-data; name="\xff"',
    ])
    def test_a_disposition_that_parsers_disagree_about_is_400(self, disposition: bytes) -> None:
        """Extended, doubled, unquoted and half-escaped parameters hide a field from some parsers."""
        assert refused(MULTIPART, whole(part(disposition, b"1"))) == 400

    @pytest.mark.parametrize("head", [
        (b"Content-Disposition: form-data; name=\"b\"",), (b" folded",), (b"\tfolded",), (b"X: a\nY: b",),
        (b"X: a\rY: b",), (b"X : a",), (b"no colon",), (b"X: \x00",), (b"Content-Transfer-Encoding: base64",),
        (b"Content-Transfer-Encoding: quoted-printable",), (b"Content-Type: multipart/mixed; boundary=c",),
    ])
    def test_a_part_head_that_parsers_disagree_about_is_400(self, head: tuple[bytes, ...]) -> None:
        """Folded, doubled, nested and encoded parts are refused."""
        assert refused(MULTIPART, whole(named(b"a", b"1", *head))) == 400

    def test_a_nested_file_is_400(self) -> None:
        """A list of files in one part is of the past (RFC 7578 4.3)."""
        disposition = b'form-data; name="a"; filename="x"'
        assert refused(MULTIPART, whole(part(disposition, b"", b"Content-Type: multipart/mixed; boundary=c"))) == 400

    def test_a_field_may_say_that_it_is_utf8_text(self) -> None:
        """Clients that label their parts are understood, and believed in UTF-8 only."""
        labels = (b"Content-Type: text/plain; charset=UTF-8", b"Content-Transfer-Encoding: 8bit")
        assert parse_form(MULTIPART, whole(named(b"a", b"1", *labels))).values("a") == ["1"]
        foreign = b"Content-Type: text/plain; charset=utf-16"
        assert refused(MULTIPART, whole(named(b"a", b"1", foreign))) == 415

    @pytest.mark.parametrize("body", [
        b"", b"--b0undary", b"--b0undary\r\n", named(b"a", b"1"), whole(named(b"a", b"1"))[:-5],
        b"preamble\r\n" + whole(named(b"a", b"1")), b"\r\n" + whole(named(b"a", b"1")),
        whole(named(b"a", b"1")) + b"epilogue", whole(named(b"a", b"1")) + b"\r\n",
        b"--b0undary \r\n" + whole(named(b"a", b"1"))[12:],
        whole(b"--b0undary\r\n\r\n\r\n"), whole(b"--b0undary\r\nno blank line\r\n"),
        whole(named(b"a", b"1\n--b0undary\nContent-Disposition: form-data; name=\"password\"\n\nx")),
        whole(named(b"a", b"mid--b0undaryline")), whole(named(b"a", b"1\r\n--b0undaryX\r\n")),
        whole(named(b"a", b"1")).replace(b"\r\n", b"\n"), b"a=1",
    ])
    def test_a_cut_or_malformed_body_is_400(self, body: bytes) -> None:
        """Only what every parser splits alike is read."""
        assert refused(MULTIPART, body) == 400

    @pytest.mark.parametrize("content_type", [
        b"multipart/form-data", b"multipart/form-data; boundary=", b'multipart/form-data; boundary=""',
        b"multipart/form-data; boundary=a; boundary=b", b"multipart/form-data; boundary*=b0undary",
        b'multipart/form-data; boundary="b0 undary"', b"multipart/form-data; boundary=" + b"x" * 71,
        b"multipart/form-data; xboundary=b0undary; boundary=b0undary",
    ])
    def test_a_bad_boundary_is_400(self, content_type: bytes) -> None:
        """A boundary is named once, in its own characters, in at most seventy of them."""
        assert refused(content_type, whole(named(b"a", b"1"))) == 400

    def test_another_multipart_type_is_415(self) -> None:
        """Only form-data is a form."""
        assert refused(b"multipart/mixed; boundary=b0undary", whole(named(b"a", b"1"))) == 415

    def test_a_value_that_is_not_utf8_is_refused_when_it_is_asked_for(self) -> None:
        """A field of another application's making may hold any octets."""
        form = parse_form(MULTIPART, whole(named(b"a", b"\xff"), named(b"b", b"1")))
        assert form.values("b") == ["1"]
        with pytest.raises(RequestRefused):
            form.values("a")

    def test_too_many_parts_are_400(self) -> None:
        """Parts are bounded like fields."""
        body = whole(*(named(b"a", b"1") for _ in range(3)))
        assert len(parse_form(MULTIPART, body, max_fields=3).names()) == 3
        with pytest.raises(RequestRefused) as refusal:
            parse_form(MULTIPART, body, max_fields=2)
        assert refusal.value.status == 400

    def test_a_value_that_holds_the_boundary_is_not_written(self) -> None:
        """A client with a boundary so short that a password may hold it is refused, not given a broken form."""
        form = parse_form(MULTIPART, whole(named(b"a", b"1")))
        with pytest.raises(RequestRefused) as refusal:
            form.substitute("a", "x--b0undaryx")
        assert refusal.value.status == 400

    @given(before=st.lists(st.tuples(TEXT, st.binary(max_size=30)), max_size=3),
           after=st.lists(st.tuples(TEXT, st.binary(max_size=30)), max_size=3), name=TEXT, old=TEXT, new=TEXT)
    def test_substituting_changes_one_value_and_no_other_byte(self, before: Pairs, after: Pairs, name: str,
                                                              old: str, new: str) -> None:
        """Whatever the names and values, the rest of the body stays as it was, and the new value is read back."""
        assume(name not in dict(before) and name not in dict(after))
        assume("_charset_" not in {name, *dict(before + after)})
        head = b"".join(named(quoted(each), value) for each, value in before)
        tail = b"\r\n" + whole(*(named(quoted(each), value) for each, value in after))
        field = named(quoted(name), old.encode()).removesuffix(b"\r\n")
        form = parse_form(MULTIPART, head + field + tail)
        changed = form.substitute(name, new)
        assert changed == head + field.removesuffix(old.encode()) + new.encode() + tail
        again = parse_form(MULTIPART, changed)
        assert again.names() == form.names()
        assert again.values(name) == [new]


def quoted(name: str) -> bytes:
    """Write a name as HTML's multipart encoding does; controls and backslashes no parser agrees about."""
    assume(not {*map(chr, range(32)), "\x7f", "\\"} & set(name) - {"\r", "\n"})
    assume("%" not in name)
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A").encode()


class TestForm:
    @pytest.mark.parametrize("body", [b"a=1&a=2", b"b=1", b""])
    def test_a_field_is_substituted_only_where_it_stands_once(self, body: bytes) -> None:
        """An ambiguous substitution is a mistake of the caller's."""
        with pytest.raises(ValueError, match="exactly once"):
            parse_form(URLENCODED, body).substitute("a", "x")

    def test_a_file_is_not_substituted(self) -> None:
        """A file is no field, even under a field's name."""
        form = parse_form(MULTIPART, whole(part(b'form-data; name="a"; filename="x"', b"1")))
        with pytest.raises(ValueError, match="exactly once"):
            form.substitute("a", "x")

    @pytest.mark.parametrize("value", [b"iso-8859-1", b"UTF-16", "ą".encode()])
    def test_the_form_s_own_charset_field_must_say_utf8(self, value: bytes) -> None:
        """HTML lets a form declare its charset in a field `_charset_`; some frameworks obey it."""
        assert refused(URLENCODED, b"a=1&_charset_=" + value) == 415
        assert parse_form(URLENCODED, b"a=1&_charset_=UTF-8").values("a") == ["1"]
        assert parse_form(URLENCODED, b"a=1&_charset_=").values("a") == ["1"]

    def test_a_form_s_repr_shows_no_value(self) -> None:
        """Whoever logs a form logs no password."""
        form = parse_form(URLENCODED, b"password=s3cret")
        assert "s3cret" not in repr(form)


@pytest.mark.parametrize(("name", "loose"), [
    ("password", "password"), (" password\t", "password"), ("PassWord", "password"),
    ("password[]", "password"),
    ("password[x][y]", "password"), ("password\0x", "password"), ("\0password", "password"),
    ("pass.word", "pass_word"),
    ("pass word", "pass_word"), ("password [", "password"), ("\x01password\u2003", "password"), ("", ""), ("[x]", ""),
])
def test_a_loose_name_is_what_lenient_frameworks_see(name: str, loose: str) -> None:
    """PHP trims, cuts and replaces, ASP.NET ignores case."""
    assert loose_name(name) == loose


@pytest.mark.parametrize(("name", "declared"), [
    ("password", "password"), ("password[]", "password"), (" PASSWORD", "password"),
    ("user[password][]", "user[password]"), ("user", "user[password]"), ("User[Password]", "user[password]"),
    ("Input[Password]", "Input.Password"), ("Input.Password", "Input_Password"),
    ("user.password", "user[password]"),
])
def test_names_that_some_framework_takes_for_one_are_the_same_field(name: str, declared: str) -> None:
    """A variant, a parent and another notation may all reach the same variable."""
    assert is_same_field(name, declared)
    assert is_same_field(declared, name)


@pytest.mark.parametrize(("name", "declared"), [
    ("user[email]", "user[password]"), ("password2", "password"), ("new_password", "password"),
    ("", "password"),
    ("user[password]", "user[password_confirmation]"), ("Input.Email", "Input.Password"),
])
def test_siblings_are_different_fields(name: str, declared: str) -> None:
    """Fields of one group do not stand for one another."""
    assert not is_same_field(name, declared)


@given(name=TEXT)
def test_a_field_is_always_the_same_as_itself(name: str) -> None:
    """No name escapes its own look-up."""
    assert is_same_field(name, name)
    assert is_same_field(f" {name}[]", name)
    assert loose_name(loose_name(name)) == loose_name(name)
