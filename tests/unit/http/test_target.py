"""Canonical targets: every way to write a rule's address leads to it, and plain ones are known as plain."""

import re
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gateway.errors import RequestRefused
from gateway.http import target as targets
from gateway.http.target import MARKS, PAIRS, READ, READINGS, canonical, canonical_path, query_pairs

LOGIN = "/admin/login"

# Ways in which servers and frameworks were seen to read an address as `/admin/login/`.
SPELLINGS = [
    # percent-encoding, once, twice and in mixed depths; IIS's own
    b"/%61dmin/login/", b"/admin%2Flogin/", b"/admin%2flogin", b"%2fadmin/login", b"/%2561dmin/login/",
    b"/%252561dmin/login/", b"/%%36%31dmin/login/", b"/%25%36%31dmin/login", b"/%u0061dmin/login/",
    b"/admin%u002flogin/", b"/admin%252f%2561/../login",
    # slashes
    b"//admin/login/", b"/admin//login//", b"///admin///login///", b"/admin\\login\\", b"/admin%5clogin",
    b"\\admin/login", b"/admin%255clogin",
    # dot segments, encoded, with parameters, resolved before or after slashes are merged
    b"/./admin/./login/.", b"/x/../admin/login/", b"/admin/x/../login/", b"/admin/%2e/login/",
    b"/x/%2e%2e/admin/login/", b"/x/%252e%252e/admin/login/", b"/../../admin/login/", b"/admin/login/x/..",
    b"/x/..;/admin/login/",
    b"/x/..;a=b/admin/login/", b"/admin/.;/login/", b"/admin//../login/", b"/admin/x//../../login",
    b"/x%2fy/../admin%2flogin", b"/admin/%252e%252e/../login/", b"/x\\..\\admin\\login",
    # path parameters
    b"/admin;x/login;y=z/", b"/admin/login;jsessionid=A1", b"/admin/login/;", b"/;/admin/login", b"/admin/login;a;b",
    b"/admin/login%3bx", b"/admin/login;x/more", b"/admin/login%253bx/more",
    # query and fragment signs that were encoded, NUL, line ends, controls, signs without width
    b"/admin/login/%3f/x", b"/admin/login%23x", b"/x%3f/../admin/login", b"/admin/login%00", b"/admin/login%00.png",
    b"/admin/lo%00gin", b"/admin/login/%0a", b"/admin/login/%0d%0a", b"/admin/login%0ax", b"/admin/log%09in",
    b"/admin/lo%e2%80%8bgin", b"/admin/login%ef%bb%bf", b"/ad%c2%admin/login", b"/admin/login%7f",
    # signs that become ASCII, overlong forms, octets that are dropped
    "/ａｄｍｉｎ/ｌｏｇｉｎ/".encode(), b"/%ef%bd%81dmin/login", b"/admin%ef%bc%8flogin", b"/admin%e2%88%95login",
    b"/admin%e2%81%84login", b"/admin%c0%aflogin", b"/admin%e0%80%aflogin", b"/admin%f0%80%80%aflogin",
    b"/x/%c0%ae%c0%ae/admin/login", b"/admin/lo%ffgin", b"/admin/login%c3", b"/\xffadmin/login", b"/ad%c1%adin/login",
    # Windows' file names, ASP.NET's sessions
    b"/admin/login.", b"/admin./login..%20", b"/admin/login%20/", b"/admin/login::$DATA",
    b"/admin:$i30:$INDEX_ALLOCATION/login",
    b"/(S(abc))/admin/login", b"/admin/(A(x)S(y))/login", b"/%28S(abc)%29/admin/login",
    # parsers that take the beginning for a host
    b"//x/admin/login/", b"//user@x:80/admin/login", b"/\\x/admin/login", b"/%2f/x/admin/login", b"///x/admin/login/",
    b"/%5cx/admin/login",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_reads_as_the_rules_address(spelling: bytes) -> None:
    """No known way to write an address escapes its rule, and none of them counts as plain."""
    target = canonical(spelling + b"?next=/")
    assert LOGIN in target.readings
    assert not target.is_plain
    assert target.query == b"next=/"


@pytest.mark.parametrize(("raw", "path"), [
    (b"/", "/"), (b"/admin/login", LOGIN), (b"/admin/login/", LOGIN), (b"/a.b/c-d_e~f", "/a.b/c-d_e~f"),
    (b"/app.min.js", "/app.min.js"), (b"/a+b,c=d&e!f$g'h*i@j", "/a+b,c=d&e!f$g'h*i@j"), (b"/Admin", "/Admin"),
    (b"/a(b):c", "/a(b):c"), (b"/.well-known/jwks.json", "/.well-known/jwks.json"),
    (b"/zaloguj-si%C4%99/", "/zaloguj-si\u0119"), (b"/zaloguj-si%c4%99", "/zaloguj-si\u0119"),
    (b"/zaloguj-si\xc4\x99", "/zaloguj-si\u0119"), (b"/a%20b", "/a b"), (b"/a%5Bb%5D", "/a[b]"), (b"/a[b]", "/a[b]"),
])
def test_plain_addresses_are_plain(raw: bytes, path: str) -> None:
    """What a browser sends for a path is plain: encoded where it must be, with or without a slash at its end."""
    target = canonical(raw + b"?a=%2e#")
    assert (target.path, target.is_plain, target.raw_path, target.query) == (path, True, raw, b"a=%2e#")
    assert path in target.readings


@pytest.mark.parametrize("raw", [
    b"/admin/login//", b"/admin/login/./", b"/%61dmin", b"/a%2fb", b"/a%2Db", b"//a", b"/a;x", b"/a%20%20/", b"/\xff",
    b"/a%", b"/a%zz", b"*",
])
def test_other_spellings_are_not_plain(raw: bytes) -> None:
    """Needless encoding, a second slash and undeclared parameters are not what a browser sends by itself."""
    target = canonical(raw)
    assert target.is_plain == (raw in (b"/a%", b"/a%zz", b"*") and target.path == raw.decode())


@pytest.mark.parametrize(("raw", "path", "others"), [
    (b"/caf%e9", "/caf\u00e9", {"/caf%e9", "/caf"}),
    (b"/\xe9\xc3\xa9", "/\u00e9\u00c3\u00a9", {"/\u00e9"}),
    (b"/a%c0%afb", "/a/b", {"/a%c0%afb"}),
    (b"/a/%ed%a0%80b", "/a/\u00ed b", {"/a/%ed%a0%80b", "/a/b"}),
    (b"/a%ud800b", "/ab", {"/a%ud800b"}),
])
def test_bytes_that_are_no_utf_8_have_one_canonical_path(raw: bytes, path: str, others: set[str]) -> None:
    """Latin-1 is what is left; that some drop such bytes is a further reading."""
    target = canonical(raw)
    assert target.path == path
    assert others <= target.readings


class TestParameters:
    DECLARED = frozenset({"jsessionid", "v"})

    @pytest.mark.parametrize("raw", [
        b"/admin/login;jsessionid=A-1.n", b"/admin;jsessionid=/login", b"/admin/login;v;jsessionid=A",
        b"/admin/login/;v=1",
    ])
    def test_declared_parameters_are_plain(self, raw: bytes) -> None:
        """A container's own session parameter is no evasion."""
        target = canonical(raw, parameters=self.DECLARED)
        assert target.is_plain
        assert target.path == LOGIN
        assert not canonical(raw).is_plain

    @pytest.mark.parametrize("raw", [
        b"/admin/login;JSESSIONID=A", b"/admin/login;x=1", b"/admin/login;v=1;x", b"/admin/login;vv=1",
        b"/admin/login%3bv=1", b"/admin/login;v=%2f", b"/x/..;v=1/admin/login", b"/admin/login;v=1\\x/..",
    ])
    def test_others_are_not(self, raw: bytes) -> None:
        """Only the declared name, written plainly, is."""
        target = canonical(raw, parameters=self.DECLARED)
        assert not target.is_plain
        assert LOGIN in target.readings

    def test_a_declared_name_is_not_a_pattern(self) -> None:
        """A dot in a name is a dot."""
        assert not canonical(b"/a;xyz=1", parameters=frozenset({"x.z"})).is_plain


class TestCase:
    @pytest.mark.parametrize("raw", [b"/Admin/LOGIN", b"/%41dmin/login", "/adm\u0131n/login".encode(),
                                     "/adm\u0131n/log\u0131n".encode(), b"/ADMIN//login"])
    def test_case_is_folded_where_the_app_does(self, raw: bytes) -> None:
        """The same address in another case is the same address, but only for an app that says so."""
        assert LOGIN in canonical(raw, fold_case=True).readings
        assert LOGIN not in canonical(raw).readings

    def test_another_case_is_plain(self) -> None:
        """It is as good an address as the rule's own."""
        for raw, path in ((b"/Admin/Login/", LOGIN), ("/Stra\u00dfe".encode(), "/strasse"), (b"/%C4%98A", "/\u0119a")):
            target = canonical(raw, fold_case=True)
            assert (target.path, target.is_plain) == (path, True)
        assert not canonical(b"/%41dmin", fold_case=True).is_plain


class TestNeighbours:
    @pytest.mark.parametrize("raw", [
        b"/admin/logins", b"/admin/login/x", b"/login", b"/admin", b"/x/admin/login", b"/admin/log/in",
        b"/admin/login-x",
        b"/admin/login.html", b"/admin/x/login", b"/admin/login/../logout", b"/admin/login/%2e%2e/x", b"/Admin/login",
        b"/admin/login%2fx", b"/x?/admin/login", b"/static/%C5%82/admin", b"/admin/lo-gin",
    ])
    def test_other_addresses_stay_others(self, raw: bytes) -> None:
        """What no server reads as the rule's address is not taken for it."""
        assert LOGIN not in canonical(raw).readings

    @pytest.mark.parametrize("raw", [
        b"/%e3%83%ad%e3%82%b0%e3%82%a4%e3%83%b3", b"/wiki/%E2%80%8Cnam%C3%A9%E2%80%8B", b"/%ea%b0%80%20%ef%bc%a1.",
        b"/x;jsessionid=1/%C3%A9//y/", b"/\x83\x5c\x83\x8b/%83%5c", b"/%cf%f0%e8%e2%e5%f2/%ce%ea",
    ])
    def test_honest_addresses_have_few_readings(self, raw: bytes) -> None:
        """Other scripts, old encodings and untidy links are not mistaken for an attack."""
        assert len(canonical(raw).readings) <= READINGS // 2


@pytest.mark.parametrize("raw", [
    b"/%" + b"25" * 100 + b"41", b"/%2%35" + b"%25" * 60 + b"41" * 61, b"/%" + b"25" * 2000 + b"2e",
    b"/(S(a))//./%2e;x/%ef%bc%a1/%e2%80%8b/x./%5c%3f/%23%00%0a",
])
def test_endless_encoding_is_refused(raw: bytes) -> None:
    """An address with too many readings costs its sender a 400, and the gateway little."""
    with pytest.raises(RequestRefused) as refusal:
        canonical(raw)
    assert refusal.value.status == 400


@pytest.mark.parametrize("mark", ["\u0301", "\u0316", "\uff9e", "\u3099", "\U0001e94a"])
@pytest.mark.parametrize("written", ["{}", "/{}", "a%0a;b./{}"])
def test_more_marks_than_any_language_has_are_refused(mark: str, written: str) -> None:
    """NFKC sorts a run of marks in quadratic time; 30 of them pass, in any place and however they are written."""
    for run in ("e" + mark * (MARKS - 1) + "\u0316", "e" + mark * (MARKS - 1) + "\u0316" + "e" + mark * MARKS):
        for text in (run, quote(run)):
            canonical(b"/" + written.format(text).encode())
            canonical(b"/" + written.format(text + "e").encode())
            with pytest.raises(RequestRefused, match="marks"):
                canonical(b"/" + written.format(text + (quote("\u0301") if "%" in text else "\u0301")).encode())


def test_marks_that_invisible_signs_part_are_one_run() -> None:
    """What drops such a sign sees them together."""
    with pytest.raises(RequestRefused, match="marks"):
        canonical("/e{0}\u200b{0}".format("\u0301\u0316" * (MARKS // 2)).encode())


def test_every_sign_that_begins_with_a_mark_counts_as_one() -> None:
    """Over the whole of Unicode, also those that only become marks when they decompose."""
    signs = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    marks = [sign for sign in signs if unicodedata.combining(unicodedata.normalize("NFKD", sign)[0])]
    assert len(marks) > 900
    assert [sign for sign in marks if not targets._marks.fullmatch(sign)] == []


@pytest.mark.parametrize("text", [
    "\u6f22\u5b57" * 400, "\U0001f600" * 600, "\u2764\ufe0f" * 400, "e\u0301" * 800, "\uac00" * 800,
    "\uff01\u3002" * 400, "\u0628\u0651\u064e" * 400, "\u0915\u094d\u0937\u093f" * 200,
    "\u0e01\u0e33\u0e48" * 200, "\u1ec7a\u0323\u0302" * 200,
])
def test_long_addresses_of_all_scripts_pass(text: str) -> None:
    """Nobody who writes a language meets a bound, raw or quoted, whatever is untidy beside."""
    for path in (text.encode(), quote(text).encode()[:7992]):
        assert len(canonical(b"/" + path + b"//x/").readings) < READINGS


def test_all_readings_together_are_not_longer_than_their_bound() -> None:
    """Twice the address costs at most twice the work: the long one has fewer readings, or is refused."""
    assert len(canonical(b"//a%0a;b./" + b"x" * 300).readings) > 10
    with pytest.raises(RequestRefused) as refusal:
        canonical(b"//a%0a;b./" + b"x" * 8000)
    assert refusal.value.status == 400
    with pytest.raises(RequestRefused):
        canonical("/\ufdfa".encode() * (READ // 36 + 1))  # eighteen letters each
    room = READ // 2
    canonical(b"/" + b"x" * (room - 3) + b"\\")
    with pytest.raises(RequestRefused):
        canonical(b"/" + b"x" * (room - 1) + b"\\")


PIECES = ["/", "//", ".", "..", "%2e", "%2f", "%25", "%5c", "\\", ";", ";v=1", "?", "%3f", "#", "%00", "%0a", "%c0%af",
          "%ff", "%e2%80%8b", "a", "A", "b.c", " ", "%20", ":$x", "(S(a))", "\u00e9", "\u212a", "\uff0f", "%u002e",
          "\u0130", "\u00df", "\u0344", "%", "e\u0301"]


def raw_targets() -> st.SearchStrategy[bytes]:
    """Return a strategy for targets made of what makes trouble, and of anything."""
    troubled = st.lists(st.sampled_from(PIECES), max_size=10).map(lambda pieces: b"/" + "".join(pieces).encode())
    return st.one_of(troubled, st.binary(max_size=20).map(lambda raw: b"/" + raw))


@settings(max_examples=300, deadline=None)
@given(raw_targets(), st.booleans())
@example(b"/%2%35%32%65./a", False)
@example("/\u0345\u0130".encode(), True)
def test_canonical_is_idempotent(raw: bytes, fold_case: bool) -> None:
    """The canonical path of a canonical path is itself, and it has no other."""
    try:
        path = canonical(raw, fold_case=fold_case).path
    except RequestRefused:
        return
    again = canonical(path.encode(), fold_case=fold_case)
    assert again.path == path
    assert path in again.readings


@settings(max_examples=200, deadline=None)
@given(raw_targets(), st.booleans())
def test_a_path_alone_is_read_like_a_target(raw: bytes, fold_case: bool) -> None:
    """The shorter way to the canonical path of a reading leads to the same."""
    try:
        readings = canonical(raw, fold_case=fold_case).readings
        for reading in readings:
            assert canonical_path(reading, fold_case=fold_case) == canonical(reading.encode(), fold_case=fold_case).path
    except RequestRefused:
        return


@settings(max_examples=300, deadline=None)
@given(raw_targets())
def test_the_canonical_path_is_harmless(raw: bytes) -> None:
    """No server finds anything left to decode, resolve or cut in it."""
    try:
        target = canonical(raw)
    except RequestRefused:
        return
    path = target.path
    assert path.startswith("/")
    assert path == "/" or not path.endswith("/")
    assert not re.search(r"//|/\.\.?(/|$)|[\\;?#\x00-\x1f\x7f]|%[0-9A-Fa-f]{2}", path)
    assert unicodedata.is_normalized("NFKC", path)
    assert path in target.readings


segments = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=6)
ENDS = ["/", "/.", "/x/..", ";a=b", "%20", ".", "%0a", "%00"]
BEGINNINGS = ["/..", "/.", "/x/%2e%2e", "/%e2%80%8b", "/(S(a))", "//h"]
JOINTS = ["//", "/./", "\\", "%2f", "/x/../", "/;/"]


def escaped(sign: str, depth: int) -> str:
    """Write a sign as it is, escaped, or with its escapes escaped."""
    return sign if depth == 0 else "".join(f"%{'25' * (depth - 1)}{octet:02x}" for octet in sign.encode())


WAYS = {
    "escaped": lambda draw, path: "".join(escaped(sign, draw(st.integers(0, 2))) for sign in path),
    "joined": lambda draw, path: path.replace("/", draw(st.sampled_from(JOINTS))),
    "ended": lambda draw, path: path + draw(st.sampled_from(ENDS)),
    "parameters": lambda draw, path: re.sub(r"(?<=[0-9A-Za-z])/", ";a=b/", path),
    "begun": lambda draw, path: draw(st.sampled_from(BEGINNINGS)) + path,
    "wide": lambda draw, path: "".join(chr(ord(sign) + 0xFEE0) if "A" <= sign <= "z" else sign for sign in path),
}


@settings(max_examples=300, deadline=None)
@given(st.data(), st.lists(segments, min_size=1, max_size=4), st.permutations(sorted(WAYS)))
def test_every_mutation_of_a_rules_path_reads_as_it(data: st.DataObject, names: list[str], ways: list[str]) -> None:
    """Any two ways of writing a path otherwise, one upon the other, still lead to it."""
    path = "/" + "/".join(names)
    once = WAYS[ways[0]](data.draw, path)
    assert is_hit(path, once)
    assert is_hit(path, WAYS[ways[1]](data.draw, once))


def is_hit(path: str, written: str) -> bool:
    """Say whether a rule's path is found in what was written, or the address is refused for good."""
    try:
        return path in canonical(written.encode()).readings
    except RequestRefused:
        return True


@settings(max_examples=200, deadline=None)
@given(st.from_regex(rb"\A(/[0-9A-Za-z_~!$&'*,=@+-]+(\.[0-9A-Za-z-]+)*){0,4}/?(\?[ -~]*)?\Z"), st.booleans())
def test_the_short_way_reads_like_the_long_one(raw: bytes, fold_case: bool) -> None:
    """A usual target has the one reading that all steps together find."""
    assume(targets._usual(raw))
    short = canonical(raw, fold_case=fold_case)
    steps = (*targets._STEPS, *targets._OTHER_STEPS, *((targets._fold,) if fold_case else ()))
    readings = {targets._finished(reading) for reading in targets._readings(short.raw_path, steps)}
    assert short.readings <= readings
    assert short.is_plain
    assert targets._is_plain(short.raw_path, short.path, fold_case=fold_case)
    assert {reading.lower() if fold_case else reading for reading in readings} == short.readings


@given(st.text(max_size=12))
def test_a_path_as_browsers_quote_it_is_plain(path: str) -> None:
    """Whatever canonical path a rule has, a browser's way to write it is plain."""
    try:
        path = canonical(b"/" + path.encode("utf-8", "ignore")).path
    except RequestRefused:
        return
    assert canonical(quote(path, safe=targets.PLAIN_SIGNS).encode()).is_plain


class TestQuery:
    @pytest.mark.parametrize(("query", "pairs"), [
        (b"", []),
        (b"a=1&b=2", [("a", "1"), ("b", "2")]),
        (b"a=1&a=2", [("a", "1"), ("a", "2")]),
        (b"&&a&=b&", [("a", ""), ("", "b")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a;b=1", [("a;b", "1")]),
        (b"a+b=%63+%2B", [("a b", "c +")]),
        (b"pass%77ord=1", [("password", "1")]),
        (b"a=%C5%BC&b=\xc5\xbc", [("a", "\u017c"), ("b", "\u017c")]),
        (b"a=%ff&b=\xff", [("a", "\ufffd"), ("b", "\ufffd")]),
        (b"a=%&b=%zz", [("a", "%"), ("b", "%zz")]),
        (b"a=%2526", [("a", "%26")]),
    ])
    def test_pairs_are_decoded_leniently(self, query: bytes, pairs: list[tuple[str, str]]) -> None:
        """Names and values are decoded once, as forms are; only `&` separates them."""
        assert query_pairs(query) == pairs

    def test_a_query_of_very_many_pairs_is_refused(self) -> None:
        """As a form's are; the last one that may be is read."""
        assert len(query_pairs(b"&".join([b"a=%31"] * PAIRS))) == PAIRS
        with pytest.raises(RequestRefused) as refusal:
            query_pairs(b"&" * PAIRS)
        assert refusal.value.status == 400
