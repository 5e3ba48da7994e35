"""A secret gives itself away to nobody who does not ask, and the values say what they are."""

import copy
import json
import logging
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Credentials, LegacyUser, Outcome, PasswordChange, Profile, Secret
from gateway.store.base import Adoption, Credential, NewPassword, PendingChange, StoredKey

MARK = "markedpassword"
SECRET = Secret(MARK)


def test_a_secret_reveals_itself_when_asked() -> None:
    """Exactly what was given."""
    assert SECRET.reveal() == MARK


@pytest.mark.parametrize("show", [repr, str, ascii, lambda secret: repr([secret]), lambda secret: "%s" % secret])  # noqa: UP031
def test_a_secret_shows_a_mask(show: Callable[[object], str]) -> None:
    """However it is made text, alone or within something."""
    assert MARK not in show(SECRET)
    assert "***" in show(SECRET)


@pytest.mark.parametrize("use", [
    lambda secret: f"{secret}",
    lambda secret: "{}".format(secret),  # noqa: UP032
    lambda secret: format(secret, ">20"),
    lambda secret: "" + secret,
    pickle.dumps,
    copy.copy,
    copy.deepcopy,
    json.dumps,
    hash,
    list,
])
def test_a_secret_refuses_what_would_carry_it_off(use: Callable[[Secret], object]) -> None:
    """Formatting is a mistake, not a leak, and so are pickling, copying and being a key; no text quotes it."""
    with pytest.raises(TypeError) as caught:
        use(SECRET)
    assert MARK not in str(caught.value)


def test_a_secret_in_a_log_record_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    """The standard library's lazy formatting shows the mask."""
    logging.getLogger("test").warning("typed %s and %r", SECRET, SECRET)
    assert caplog.messages == ["typed Secret(***) and Secret(***)"]


def test_a_secret_has_no_attribute_to_read() -> None:
    """It has no dictionary of itself, and takes none."""
    assert not hasattr(SECRET, "__dict__")
    with pytest.raises(AttributeError):
        SECRET.value = MARK  # type: ignore[attr-defined]


@given(st.text(), st.text())
def test_secrets_are_equal_as_their_texts_are(one: str, other: str) -> None:
    """Any text, lone surrogates included; and a secret is never equal to a plain text."""
    assert (Secret(one) == Secret(other)) is (one == other)
    assert Secret(one) == Secret(one)
    assert Secret(one) != one


@pytest.mark.parametrize("text", ["", "\ud800", "a", "żółw"])
def test_a_secret_knows_whether_it_is_empty_and_how_long(text: str) -> None:
    """In code points, and without revealing them."""
    assert len(Secret(text)) == len(text)
    assert bool(Secret(text)) is bool(text)


DIGEST = b"markedpassword digest"
NEVER = datetime.fromtimestamp(0, UTC)


@pytest.mark.parametrize("value", [
    Credentials(identifier="alice", password=SECRET),
    PasswordChange(new_password=SECRET),
    NewPassword(encoded=SECRET, held=DIGEST),
    Credential(encoded=SECRET, legacy_seen=DIGEST),
    PendingChange(id=UUID(int=1), held=DIGEST),
    Adoption(account_id=UUID(int=1), source="shop", user=LegacyUser(legacy_id="1", identifiers=()), aliases=(),
             password=NewPassword(encoded=SECRET, held=DIGEST), legacy_seen=DIGEST, way="login"),
    StoredKey(kid="k", algorithm="EdDSA", state="next", public_jwk={}, sealed_private=DIGEST, created_at=NEVER,
              activated_at=None),
], ids=lambda value: type(value).__name__)
def test_no_value_shows_a_password_or_a_digest_of_one(value: object) -> None:
    """A value that lands in a log or a traceback gives nothing away."""
    assert MARK not in repr(value)
    assert MARK not in str(value)


def test_a_legacy_user_has_an_identity() -> None:
    """Without the source's primary key nobody is anybody."""
    with pytest.raises(ValueError, match="legacy_id"):
        LegacyUser(legacy_id="", identifiers=("alice",))


def test_values_do_not_change() -> None:
    """What was decided on is what is used."""
    user = LegacyUser(legacy_id="1", identifiers=("alice",))
    with pytest.raises(FrozenInstanceError):
        user.legacy_id = "2"  # type: ignore[misc]


def test_a_user_without_more_words_is_free_of_hindrance() -> None:
    """What a source does not say is not so."""
    user = LegacyUser(legacy_id="1", identifiers=())
    assert user.hindrance is None
    assert user.profile == Profile(username="", email="", name="", attributes={})


def test_profiles_do_not_share_their_attributes() -> None:
    """Two users are two."""
    assert Profile().attributes is not Profile().attributes


def test_outcomes_are_the_words_of_metrics() -> None:
    """Each is its own value, in the spelling of a label."""
    assert all(outcome.value == outcome.name.lower() for outcome in Outcome)
