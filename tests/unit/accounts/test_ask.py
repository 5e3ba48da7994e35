"""The gateway's own question: every answer is what the source said, every breakdown is one, all is observed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from adapters.base import AdapterError, AdapterMisconfigured, AdapterUnavailable
from gateway.accounts.ask import Heard, Question, Right, Unsure
from gateway.accounts.breaker import FAILURES, REST_SECONDS
from gateway.errors import LegacyUnavailable, Overloaded
from gateway.model import LegacyUser, Outcome, Secret
from tests.helpers.crossing import SOURCE, Crossing

FIRST = "first-pw-1"


async def ask(crossing: Crossing, login: str = "alice", password: str = FIRST, *,
              unless_seen: bytes | None = None) -> Heard:
    return await crossing.question.ask(login, Secret(password), unless_seen=unless_seen)


async def test_the_right_password_names_the_user(crossing: Crossing) -> None:
    """Who it is comes with the yes."""
    answer = await ask(crossing)
    assert isinstance(answer, Right)
    assert answer.user == crossing.legacy.rows["1"].user


async def test_a_yes_of_a_hash_says_which_hash_it_was(by_hash: Crossing) -> None:
    """Its digest, by which it is known again, and which no repr shows."""
    answer = await ask(by_hash)
    seen = by_hash.hasher.seen(by_hash.legacy.rows["1"].encoded_hash)
    assert answer == Right(user=by_hash.legacy.rows["1"].user, legacy_seen=seen)
    assert repr(seen) not in repr(answer)


async def test_a_yes_to_a_password_says_nothing_of_a_hash(by_password: Crossing) -> None:
    """None was shown."""
    assert await ask(by_password) == Right(user=by_password.legacy.rows["1"].user, legacy_seen=None)


async def test_answers_are_values(crossing: Crossing) -> None:
    """No is an answer, and so is whatever else a source says."""
    crossing.legacy.add("3", "odd", password=FIRST)
    crossing.legacy.set_hash("3", "$unheard-of$")
    crossing.legacy.add("4", "bob", password=FIRST)
    assert await ask(crossing, password="wrong") is Outcome.WRONG_PASSWORD
    assert await ask(crossing, "mallory") is Outcome.NOT_FOUND
    odd = await ask(crossing, "odd")
    assert (odd.outcome if isinstance(odd, Unsure) else odd) is Outcome.UNSUPPORTED_HASH
    assert await ask(crossing, "bob") is Outcome.AMBIGUOUS
    assert [(source, outcome) for source, outcome, _ in crossing.observed] == [
        (SOURCE, Outcome.WRONG_PASSWORD), (SOURCE, Outcome.NOT_FOUND), (SOURCE, Outcome.UNSUPPORTED_HASH),
        (SOURCE, Outcome.AMBIGUOUS)]


@pytest.mark.parametrize("hindrance", [Outcome.DISABLED, Outcome.LOCKED, Outcome.MUST_CHANGE])
async def test_a_hindrance_is_no_yes(crossing: Crossing, hindrance: Outcome) -> None:
    """It is told with the right password only; without it, the password is wrong."""
    crossing.legacy.hinder("1", hindrance)
    assert await ask(crossing) == Unsure(outcome=hindrance, legacy_id="1")
    assert await ask(crossing, password="wrong") is Outcome.WRONG_PASSWORD


async def test_a_hash_that_nobody_can_read_says_whose_it_is(by_hash: Crossing) -> None:
    """Nothing is known of the password, but the account of that user may not be entered all the same."""
    by_hash.legacy.set_hash("1", "$unheard-of$")
    assert await ask(by_hash) == Unsure(outcome=Outcome.UNSUPPORTED_HASH, legacy_id="1")


@pytest.mark.parametrize("password", ["", "x" * 257, "a\ud800b"])
async def test_a_password_that_no_account_can_have_is_not_tried(by_hash: Crossing, password: str) -> None:
    """The source says whose it would be, and nothing is hashed."""
    assert await ask(by_hash, password=password) == Unsure(outcome=Outcome.WRONG_PASSWORD, legacy_id="1")
    assert await ask(by_hash, "mallory", password) is Outcome.NOT_FOUND
    assert by_hash.jobs == []


@pytest.mark.parametrize("password", ["", "x" * 257, "a\ud800b"])
async def test_a_password_that_no_account_can_have_is_given_to_nobody(by_password: Crossing, password: str) -> None:
    """A source that takes passwords is not asked."""
    assert await ask(by_password, password=password) is Outcome.WRONG_PASSWORD
    assert by_password.legacy.asked == []


async def test_the_hash_that_was_seen_before_is_wrong_without_being_tried(by_hash: Crossing) -> None:
    """A lenient scheme is not even given the chance, and nothing is hashed."""
    seen = by_hash.hasher.seen(by_hash.legacy.rows["1"].encoded_hash)
    assert await ask(by_hash, unless_seen=seen) is Outcome.WRONG_PASSWORD
    assert by_hash.jobs == []
    assert isinstance(await ask(by_hash, unless_seen=b"another"), Right)


async def test_a_right_answer_is_observed_with_its_time(crossing: Crossing) -> None:
    """From the question to the verdict."""
    crossing.legacy.meanwhile = passing(crossing, 1.5)
    await ask(crossing)
    assert crossing.observed == [(SOURCE, Outcome.RIGHT, 1.5)]


def passing(crossing: Crossing, seconds: float) -> Callable[[], Any]:
    async def pass_() -> None:
        crossing.clock.advance(seconds)
    return pass_


async def test_an_outage_is_raised_and_observed(crossing: Crossing) -> None:
    """Nothing is known about the password then; the sentence names no user."""
    crossing.legacy.is_away = True
    with pytest.raises(LegacyUnavailable) as caught:
        await ask(crossing)
    assert crossing.observed == [(SOURCE, Outcome.UNAVAILABLE, 0.0)]
    assert "alice" not in str(caught.value)


class Fails:
    """Is a source that breaks in a given way."""

    def __init__(self, error: AdapterError | None) -> None:
        self._error = error

    async def authenticate(self, login: str, password: Secret) -> LegacyUser | Outcome:
        if self._error is None:
            await asyncio.Event().wait()
        raise self._error or AssertionError


@pytest.mark.parametrize(("error", "outcome", "reason"), [
    (AdapterUnavailable("gone"), Outcome.UNAVAILABLE, "gone"),
    (AdapterUnavailable("slow", Outcome.TIMEOUT), Outcome.TIMEOUT, "slow"),
    (AdapterUnavailable("odd", Outcome.PROTOCOL_ERROR), Outcome.PROTOCOL_ERROR, "odd"),
    (AdapterMisconfigured("no such column"), Outcome.PROTOCOL_ERROR, "no such column"),
    (None, Outcome.TIMEOUT, "it did not answer in time"),
])
async def test_each_breakdown_is_one_error_and_its_own_outcome(
    by_password: Crossing, error: AdapterError | None, outcome: Outcome, reason: str
) -> None:
    """Unreachable, too slow, not understood, misconfigured, or silent beyond the given time: with its reason."""
    observed: list[Outcome] = []
    question = Question(SOURCE, Fails(error), by_password.hasher, timeout=0.01, clock=by_password.clock,
                        observe=lambda _source, outcome, _seconds: observed.append(outcome))
    with pytest.raises(LegacyUnavailable, match=f"^source {SOURCE} could not be asked: {reason}$"):
        await question.ask("alice", Secret(FIRST))
    assert observed == [outcome]


async def test_a_resting_source_is_not_asked(crossing: Crossing) -> None:
    """After a few failures in a row: at once unavailable, until one question after its rest brings an answer."""
    crossing.legacy.is_away = True
    for _ in range(FAILURES + 2):
        with pytest.raises(LegacyUnavailable):
            await ask(crossing)
    assert len(crossing.legacy.asked) == FAILURES
    assert len(crossing.observed) == FAILURES + 2
    crossing.legacy.is_away = False
    with pytest.raises(LegacyUnavailable, match="resting"):
        await ask(crossing)
    crossing.clock.advance(REST_SECONDS)
    assert isinstance(await ask(crossing), Right)
    assert not crossing.question.breaker.is_open


@pytest.mark.parametrize(("error", "is_open"), [
    (AdapterUnavailable("gone"), True),
    (AdapterUnavailable("slow", Outcome.TIMEOUT), True),
    (None, True),
    (AdapterUnavailable("odd", Outcome.PROTOCOL_ERROR), False),
    (AdapterMisconfigured("a row without a hash"), False),
])
async def test_only_an_absence_makes_a_source_rest(
    by_password: Crossing, error: AdapterError | None, is_open: bool
) -> None:
    """One user's row or page that is misread every time must not shut out everybody else."""
    question = Question(SOURCE, Fails(error), by_password.hasher, timeout=0.01, clock=by_password.clock,
                        observe=lambda *_: None)
    for _ in range(FAILURES):
        with pytest.raises(LegacyUnavailable):
            await question.ask("alice", Secret(FIRST))
    assert question.breaker.is_open is is_open


async def test_a_no_is_an_answer_to_the_breaker(crossing: Crossing) -> None:
    """However many wrong passwords, the source is there."""
    for _ in range(FAILURES + 1):
        await ask(crossing, password="wrong")
    assert not crossing.question.breaker.is_open


async def test_overload_is_neither_an_answer_nor_the_sources_fault(by_hash: Crossing) -> None:
    """A full hash queue says nothing of the source."""
    await by_hash.pool.close()
    with pytest.raises(Overloaded):
        await ask(by_hash)
    assert by_hash.observed == []
    assert not by_hash.question.breaker.is_open


@pytest.fixture
async def known(by_hash: Crossing) -> bytes:
    return by_hash.hasher.seen(by_hash.legacy.rows["1"].encoded_hash)


async def test_a_hash_that_the_app_wrote_anew_is_seen(by_hash: Crossing, known: bytes) -> None:
    """Applications rehash by themselves: the digest of the new hash, if it opens with the proven password."""
    assert await by_hash.question.seen_hash("alice", Secret(FIRST), known=known) is None
    by_hash.legacy.set_password("1", FIRST)
    now = by_hash.hasher.seen(by_hash.legacy.rows["1"].encoded_hash)
    assert await by_hash.question.seen_hash("alice", Secret(FIRST), known=known) == now != known
    assert await by_hash.question.seen_hash("alice", Secret("wrong"), known=known) is None
    assert await by_hash.question.seen_hash("mallory", Secret(FIRST), known=None) is None


async def test_no_hash_is_seen_where_none_is_shown(by_password: Crossing) -> None:
    """And the source is not asked for one."""
    assert await by_password.question.seen_hash("alice", Secret(FIRST), known=None) is None
    assert by_password.legacy.asked == []


async def test_a_look_that_fails_is_no_failure_of_the_source(by_hash: Crossing) -> None:
    """Nobody waits for it, so it neither makes the source rest nor is it observed."""
    by_hash.legacy.is_away = True
    for _ in range(FAILURES + 1):
        assert await by_hash.question.seen_hash("alice", Secret(FIRST), known=None) is None
    assert not by_hash.question.breaker.is_open
    assert by_hash.observed == []


async def test_a_look_leaves_a_recovering_source_its_one_try(by_hash: Crossing) -> None:
    """While the breaker is open, only a question may use it up."""
    by_hash.legacy.is_away = True
    for _ in range(FAILURES):
        with pytest.raises(LegacyUnavailable):
            await ask(by_hash)
    by_hash.legacy.is_away = False
    by_hash.clock.advance(REST_SECONDS)
    assert await by_hash.question.seen_hash("alice", Secret(FIRST), known=None) is None
    assert isinstance(await ask(by_hash), Right)
