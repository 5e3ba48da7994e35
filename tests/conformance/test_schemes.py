"""What every hash scheme promises, over every row of SCHEMES and over vectors that other programs made."""

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.hashing.scheme import Cost, Match, Scheme
from gateway.hashing.swapper import SCHEMES, Swapper
from gateway.model import Secret

FOLDER = Path(__file__).parents[1] / "vectors" / "hashes"
CASES = {"plain", "empty", "non-ascii", "long", "nul"}
BY_NAME = {scheme.name: scheme for scheme in SCHEMES}

SALT22 = "abcdefghijklmnopqrstuu"
DIGEST31 = "jydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
PHC_END = "$c2l4dGVlbiBieXRlcyBvaw$" + "A" * 43


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    scheme: str
    case: str
    password: str
    encoded: str
    made_by: str


VECTORS = [Vector(**one) for file in sorted(FOLDER.glob("*.json")) for one in json.loads(file.read_text())]
CHEAP = [vector for vector in VECTORS if vector.case != "default"]
DEFAULT = [vector for vector in VECTORS if vector.case == "default"]
PLAIN = [vector for vector in CHEAP if vector.case == "plain"]

# A mutation may raise a cost up to the real bounds, which takes seconds; these are a test's.
HASTY = Swapper([replace(scheme, bound=Cost(rounds=200, memory_kib=512, lanes=4)) for scheme in SCHEMES])

ANY_CHARACTER = st.characters(exclude_categories=())
BEGINNINGS = ["", "!", "$2b$04$", "$argon2id$v=19$m=", "argon2$argon2i$", "bcrypt$$2y$", "bcrypt_sha256$$2b$",
              "md5$", "md5$$", "pbkdf2_sha1$1", "pbkdf2_sha256$1", "scrypt$16$", "sha1$", "sha1$$"]


def title(vector: Vector) -> str:
    return f"{vector.scheme}-{vector.case}-{vector.encoded[:12]}"


def verify(encoded: str, password: str) -> Match:
    return Swapper().verify(Secret(encoded), Secret(password))


@pytest.mark.parametrize("vector", VECTORS, ids=title)
def test_the_right_password_is_right(vector: Vector) -> None:
    """What another program wrote for a password is opened by exactly that password."""
    assert verify(vector.encoded, vector.password) is Match.YES


@pytest.mark.parametrize("vector", CHEAP, ids=title)
def test_a_wrong_password_is_wrong(vector: Vector) -> None:
    """Neither another password, nor a variant of it in case, space or normalisation, opens a string."""
    variants = {"another", " ", vector.password + " ", " " + vector.password, vector.password.swapcase(),
                vector.password.replace("ż", "z\u0307"), ""}
    if vector.case in {"long", "nul"} and "bcrypt" in vector.scheme:
        variants -= {vector.password + " "}  # behind what bcrypt reads: see test_bcrypt.py
    for wrong in variants - {vector.password}:
        assert verify(vector.encoded, wrong) is Match.NO


@pytest.mark.parametrize("vector", PLAIN, ids=title)
def test_what_utf8_cannot_encode_is_wrong(vector: Vector) -> None:
    """A password with lone surrogates is wrong, without an exception."""
    assert verify(vector.encoded, vector.password + "\udcff") is Match.NO


@pytest.mark.parametrize("vector", VECTORS, ids=title)
def test_one_scheme_claims_a_string(vector: Vector) -> None:
    """Each string is claimed by its own scheme and by no other, so the order of the table means nothing."""
    assert [scheme.name for scheme in SCHEMES if scheme.identify(vector.encoded)] == [vector.scheme]
    assert Swapper().identify(vector.encoded) == vector.scheme


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_each_scheme_has_its_vectors(scheme: Scheme) -> None:
    """Each row of the table is proven by vectors for every kind of password, and has a name of its own."""
    assert Counter(one.name for one in SCHEMES)[scheme.name] == 1
    if scheme.name != "django_unusable":  # there is nothing that another program could derive
        assert {vector.case for vector in CHEAP if vector.scheme == scheme.name} >= CASES


def test_real_parameters_are_among_the_vectors() -> None:
    """Each scheme that can be dear is also proven under the parameters that its maker chooses."""
    dear = {scheme.name for scheme in SCHEMES if scheme.bound != Cost()} - {"django_bcrypt"}
    assert {vector.scheme for vector in DEFAULT} == dear


@pytest.mark.parametrize("vector", PLAIN, ids=title)
def test_a_truncated_string_opens_for_nobody(vector: Vector) -> None:
    """No beginning of a string is opened by the string's password, and none raises."""
    beginnings = [vector.encoded[:length] for length in range(len(vector.encoded))]
    answers = {HASTY.verify(Secret(beginning), Secret(vector.password)) for beginning in beginnings}
    assert answers <= {Match.NO, Match.FOREIGN}


def canonical(encoded: str) -> str:
    """Drop the ident of bcrypt: the three compute the same, so one may stand for another."""
    return re.sub(r"\$2[aby]\$", "$2$", encoded)


@settings(max_examples=400, deadline=None)
@given(vector=st.sampled_from(CHEAP), where=st.floats(0, 1), removed=st.integers(0, 2),
       put=st.text(ANY_CHARACTER | st.sampled_from("$0123456789=,./+ aA\n\0"), max_size=2))
def test_a_mutated_string_opens_for_nobody(vector: Vector, where: float, removed: int, put: str) -> None:
    """A string with characters changed, added or gone is wrong or foreign, never right, never an error."""
    at = int(where * len(vector.encoded))
    mutated = vector.encoded[:at] + put + vector.encoded[at + removed:]
    assume(canonical(mutated) != canonical(vector.encoded))
    assert HASTY.verify(Secret(mutated), Secret(vector.password)) in (Match.NO, Match.FOREIGN)


@settings(max_examples=300, deadline=None)
@given(beginning=st.sampled_from(BEGINNINGS), rest=st.text(ANY_CHARACTER))
def test_no_text_raises(beginning: str, rest: str) -> None:
    """Whatever a legacy table holds, the answer is a value."""
    assert HASTY.verify(Secret(beginning + rest), Secret("x")) in (Match.NO, Match.FOREIGN)


AT_THE_BOUND = {
    "argon2": ["$argon2id$v=19$m=262144,t=10,p=16" + PHC_END],
    "django_argon2": ["argon2$argon2d$v=16$m=262144,t=10,p=16" + PHC_END],
    "bcrypt": [f"$2y$16${SALT22}{DIGEST31}"],
    "django_bcrypt": [f"bcrypt$$2b$16${SALT22}{DIGEST31}"],
    "django_bcrypt_sha256": [f"bcrypt_sha256$$2b$16${SALT22}{DIGEST31}"],
    "django_pbkdf2_sha256": ["pbkdf2_sha256$10000000$salt$" + "A" * 43 + "="],
    "django_pbkdf2_sha1": ["pbkdf2_sha1$10000000$salt$" + "A" * 27 + "="],
    "django_scrypt": [f"scrypt${n}$salt${r}${p}$" + "A" * 86 + "=="
                      for n, r, p in ((2**18, 8, 16), (2**15, 1, 16), (2, 2**17, 16))],
}
BEYOND = {
    "argon2": ["$argon2id$v=19$m=262145,t=1,p=1" + PHC_END, "$argon2i$v=19$m=8,t=11,p=1" + PHC_END,
               "$argon2d$v=19$m=262144,t=1,p=17" + PHC_END,
               f"$argon2id$v=19$m={'9' * 600},t=1,p=1" + PHC_END],
    "django_argon2": ["argon2$argon2id$v=19$m=4294967295,t=4294967295,p=1" + PHC_END],
    "bcrypt": [f"$2b$17${SALT22}{DIGEST31}", f"$2b$31${SALT22}{DIGEST31}"],
    "django_bcrypt": [f"bcrypt$$2b$31${SALT22}{DIGEST31}"],
    "django_bcrypt_sha256": [f"bcrypt_sha256$$2b$31${SALT22}{DIGEST31}"],
    "django_pbkdf2_sha256": ["pbkdf2_sha256$10000001$salt$" + "A" * 43 + "=",
                             f"pbkdf2_sha256${'9' * 900}$salt$" + "A" * 43 + "="],
    "django_pbkdf2_sha1": ["pbkdf2_sha1$2147483647$salt$" + "A" * 27 + "="],
    "django_scrypt": [f"scrypt${n}$salt${r}${p}$" + "A" * 86 + "=="
                      for n, r, p in ((2**19, 8, 1), (2**40, 8, 1), (2**18, 8, 17), (2, 2**20, 16))],
}


def pairs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, encoded) for name, all_ in table.items() for encoded in all_]


@pytest.mark.parametrize(("name", "encoded"), pairs(AT_THE_BOUND))
def test_the_dearest_is_taken(name: str, encoded: str) -> None:
    """A string whose cost is just the bound is read."""
    assert BY_NAME[name].read(encoded) is not None


@pytest.mark.parametrize(("name", "encoded"), pairs(BEYOND))
def test_beyond_the_bounds_nothing_is_computed(name: str, encoded: str) -> None:
    """A dearer string is foreign at once; computing some of these would take years or all memory."""
    assert Swapper().identify(encoded) == name
    assert verify(encoded, "correct horse") is Match.FOREIGN


def test_the_bounds_are_tried_for_each_dear_scheme() -> None:
    """No scheme with a cost of its own is missing from the two tables above."""
    assert set(AT_THE_BOUND) == set(BEYOND) == {scheme.name for scheme in SCHEMES if scheme.bound != Cost()}


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space hold on Linux only")
@pytest.mark.parametrize("encoded", [AT_THE_BOUND["argon2"][0].replace("p=16", "p=1"),
                                     AT_THE_BOUND["django_scrypt"][0]], ids=["argon2", "scrypt"])
def test_a_lack_of_memory_is_not_a_wrong_password(encoded: str) -> None:
    """Where the memory of a verification is not to be had, the client is told to come back."""
    program = (
        "import resource, sys\n"
        "from gateway.errors import Overloaded\n"
        "from gateway.hashing.swapper import Swapper\n"
        "from gateway.model import Secret\n"
        "resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))\n"
        "try: Swapper().verify(Secret(sys.argv[1]), Secret('x'))\n"
        "except Overloaded: print('come back')\n")
    run = subprocess.run([sys.executable, "-c", program, encoded], capture_output=True, text=True, check=True,
                         cwd=Path(__file__).parents[2])
    assert run.stdout == "come back\n"
