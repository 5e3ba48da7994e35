"""PHC strings, and the scheme that the new store is written in."""

import base64
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest
from argon2.low_level import Type, hash_secret

from gateway.hashing.argon2 import SALT, Argon2id, parse_argon2, parse_phc
from gateway.hashing.scheme import ARGON2_BOUND, Cost, Match
from gateway.model import Secret

SMALL = Argon2id(memory_kib=32, passes=2, lanes=1)
PASSWORD = Secret("Zażółć-gęślą-15€")
BYTES = bytes(range(SALT))
END = "$MTIzNDU2Nzg$AAAAAAAAAAAAAAAAAAAAAA"


def written(*, passes: int = 2, memory: int = 32, lanes: int = 1, tag: int = 32, salt: bytes = BYTES,
            kind: Type = Type.ID, version: int = 19) -> str:
    return hash_secret(PASSWORD.reveal().encode(), salt, passes, memory, lanes, tag, kind, version).decode()


def test_a_hash_is_what_libargon2_writes() -> None:
    """A new hash is the PHC string of the exact password under the given salt and the parameters."""
    assert SMALL.hash(PASSWORD, salt=BYTES) == written()
    assert SMALL.hash(PASSWORD, salt=BYTES).startswith("$argon2id$v=19$m=32,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$")


def test_the_defaults_are_owasps() -> None:
    """A new hash takes 19 MiB, two passes and one lane unless set otherwise."""
    assert Argon2id() == Argon2id(memory_kib=19_456, passes=2, lanes=1)
    assert Argon2id().hash(PASSWORD, salt=BYTES) == written(memory=19_456)


def test_the_raw_tag_is_the_hashs() -> None:
    """The bare tag is the 32 bytes that a hash under the same salt ends in."""
    tag = SMALL.raw(PASSWORD, salt=BYTES)
    assert len(tag) == 32
    assert base64.b64encode(tag).rstrip(b"=").decode() == SMALL.hash(PASSWORD, salt=BYTES).rpartition("$")[2]


def test_passwords_are_whole() -> None:
    """No byte of a password is cut or skipped: neither behind a NUL nor behind 72 bytes."""
    hashed = SMALL.hash(Secret("x" * 200 + "\0end"), salt=BYTES)
    assert SMALL.verify(hashed, Secret("x" * 200 + "\0end")) is Match.YES
    assert SMALL.verify(hashed, Secret("x" * 200 + "\0enD")) is Match.NO
    assert SMALL.verify(hashed, Secret("x" * 200)) is Match.NO


@pytest.mark.parametrize(("encoded", "match"), [
    (written(), Match.YES),
    (written(memory=64, passes=3, lanes=2), Match.YES),
    (written(memory=31), Match.STALE),
    (written(passes=1, memory=64), Match.STALE),
    (written(kind=Type.I), Match.STALE),
    (written(kind=Type.D), Match.STALE),
    (written(version=16), Match.STALE),
    (written(salt=b"8 bytes."), Match.STALE),
    (written(tag=16), Match.STALE),
])
def test_weaker_hashes_are_stale(encoded: str, match: Match) -> None:
    """The right password is stale where variant, version or a parameter is below what is written today."""
    assert SMALL.verify(encoded, PASSWORD) is match
    assert SMALL.verify(encoded, Secret("another")) is Match.NO


def test_fewer_lanes_are_stale() -> None:
    """A hash of one lane is renewed when two are set."""
    assert Argon2id(memory_kib=32, passes=1, lanes=2).verify(written(), PASSWORD) is Match.STALE


@pytest.mark.parametrize("encoded", [
    "",
    "argon2" + written(),
    written() + "\n",
    "$argon2id$v=19$m=262145,t=1,p=1" + END,
    "$argon2id$v=19$m=32,t=11,p=1" + END,
    "$argon2id$v=19$m=32,t=2,p=1$MTIzNDU2Nzg$" + "A" * 1024,
    "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
])
def test_the_store_holds_nothing_else(encoded: str) -> None:
    """What is no bearable PHC string is foreign to the store's scheme, whatever the password."""
    assert SMALL.verify(encoded, PASSWORD) is Match.FOREIGN


@pytest.mark.parametrize("wrong", [
    {"memory_kib": 65_537}, {"memory_kib": 7}, {"memory_kib": 31, "lanes": 4}, {"passes": 0}, {"passes": 4},
    {"lanes": 0}, {"lanes": 5},
])
def test_parameters_have_limits(wrong: dict[str, int]) -> None:
    """Parameters beyond RFC 9106's second choice, or below what Argon2 can do, are refused at birth."""
    with pytest.raises(ValueError, match="argon2id takes"):
        Argon2id(**wrong)


def test_the_limits_are_the_second_choice_of_the_rfc() -> None:
    """64 MiB, three passes and four lanes can be set, and every setting is one that is also verified."""
    assert Argon2id(memory_kib=65_536, passes=3, lanes=4).cost.is_within(ARGON2_BOUND)


def test_parameters_are_frozen() -> None:
    """Nobody weakens the scheme of a running gateway."""
    with pytest.raises(FrozenInstanceError):
        SMALL.passes = 1  # type: ignore[misc]


@pytest.mark.parametrize("hashing", [SMALL.hash, SMALL.raw], ids=["hash", "raw"])
def test_an_unencodable_password_is_no_leak(hashing: Callable[..., object]) -> None:
    """The refusal to hash a lone surrogate carries nothing of the password, not even by its context."""
    with pytest.raises(ValueError, match="UTF-8") as caught:
        hashing(Secret("hunter\ud800"), salt=BYTES)
    assert caught.value.__context__ is None
    assert "hunter" not in repr(caught.value)
    assert SMALL.verify(written(), Secret("hunter\ud800")) is Match.NO


@pytest.mark.parametrize("encoded", [
    "$argon2id$v=19$m=32,t=2,p=1$MTIzNDU2Nw$" + "A" * 22,  # a salt of 7 bytes
    "$argon2id$v=19$m=32,t=2,p=1$MTIzNDU2Nzg$" + "A" * 15,  # a tag of 11 bytes
    "$argon2id$v=19$m=32,t=2,p=1$MTIzNDU2Nzg$" + "A" * 21,  # not a length of base64
    "$argon2id$v=19$m=32,t=2,p=1$MTIzNDU2Nzh$" + "A" * 22,  # bits behind the end of the salt
    "$argon2id$v=19$m=32,t=2,p=1$MTIzNDU2Nzg=$" + "A" * 22,  # padded
    "$argon2id$v=19$m=31,t=2,p=4" + END,  # less than 8 KiB per lane
    "$argon2id$v=19$m=032,t=2,p=1" + END,
    "$argon2id$v=19$m=32,t=0,p=1" + END,
    "$argon2id$v=19$m=32,p=1,t=2" + END,
    "$argon2id$v=20$m=32,t=2,p=1" + END,
    "$argon2ix$v=19$m=32,t=2,p=1" + END,
    "$argon2id$v=19$m=32,t=2,p=1,keyid=AAAA" + END,
])
def test_what_libargon2_refuses_is_not_read(encoded: str) -> None:
    """A string that libargon2 would refuse, or whose tag is too short to prove anything, is not read."""
    assert parse_argon2(encoded) is None


def test_a_phc_string_is_read_whole() -> None:
    """Variant, version, cost, salt and tag come out as they stand there, and only the cost is shown."""
    phc = parse_phc(written(memory=64, passes=3, lanes=2, tag=24, kind=Type.I))
    assert phc is not None
    assert (phc.variant, phc.version, phc.salt, len(phc.tag)) == (Type.I, 19, BYTES, 24)
    assert phc.cost == Cost(rounds=3, memory_kib=64, lanes=2)
    assert repr(phc.tag) not in repr(phc)
    assert repr(phc.salt) not in repr(phc)
