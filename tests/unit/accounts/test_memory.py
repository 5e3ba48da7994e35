"""What a worker remembers is bounded, and what it forgets is never believed again."""

from dataclasses import replace

from gateway.accounts.memory import REMEMBERED, Endings, Known, RefusedTokens, VerifiedTokens
from gateway.tokens.keys import KeySet, KeyState
from tests.helpers.tokens import random_keys, shop_claims

KEYSET = KeySet(random_keys(KeyState.ACTIVE, KeyState.NEXT))
START = 1_000.0


def verified(*, sub: str = "alice", sid: str = "session 1", proven_at: float) -> Known:
    claims = replace(shop_claims(now=proven_at), sub=sub, sid=sid)
    return Known(claims=claims, proven_at=proven_at)


def endings(longest: int = 100) -> Endings:
    return Endings(since=START, longest=longest)


def test_a_verified_token_is_recalled_under_its_keys() -> None:
    """The same text gives the same claims, another gives none."""
    tokens, known = VerifiedTokens(), verified(proven_at=START)
    tokens.remember(b"a.b.c", known, KEYSET, START)
    assert tokens.recall(b"a.b.c", KEYSET) is known
    assert tokens.recall(b"a.b.d", KEYSET) is None


def test_other_keys_know_no_token() -> None:
    """After a change of keys each token is verified again, whether or not the new set was used before."""
    tokens, other = VerifiedTokens(), KeySet(KEYSET.keys[:1])
    tokens.remember(b"a.b.c", verified(proven_at=START), KEYSET, START)
    assert tokens.recall(b"a.b.c", other) is None
    tokens.remember(b"d.e.f", verified(proven_at=START), other, START)
    assert len(tokens) == 1
    assert tokens.recall(b"a.b.c", KEYSET) is None


def test_the_oldest_token_goes_first_when_the_memory_is_full() -> None:
    """However many tokens come, the memory is no larger than it was told."""
    tokens = VerifiedTokens(longest=3)
    for number in range(10):
        tokens.remember(b"token %d" % number, verified(proven_at=START), KEYSET, START)
    assert len(tokens) == 3
    assert tokens.recall(b"token 6", KEYSET) is None
    assert tokens.recall(b"token 7", KEYSET) is not None


def test_expired_tokens_are_forgotten() -> None:
    """A token that nobody can use any more, skew included, makes room at the next one."""
    tokens = VerifiedTokens()
    tokens.remember(b"old", verified(proven_at=START), KEYSET, START)
    tokens.remember(b"usable", verified(proven_at=START + 500), KEYSET, START + 959)
    assert tokens.recall(b"old", KEYSET) is not None
    tokens.remember(b"new", verified(proven_at=START + 960), KEYSET, START + 960)
    assert tokens.recall(b"old", KEYSET) is None
    assert tokens.recall(b"usable", KEYSET) is not None


def test_a_refused_token_is_remembered_for_its_app_under_its_keys() -> None:
    """It may be another app's right one, and other keys may say otherwise."""
    tokens, other = RefusedTokens(), KeySet(KEYSET.keys[:1])
    tokens.add("shop", b"a.b.c", KEYSET)
    assert tokens.has("shop", b"a.b.c", KEYSET)
    assert not tokens.has("bank", b"a.b.c", KEYSET)
    assert not tokens.has("shop", b"a.b.c", other)
    tokens.add("shop", b"d.e.f", other)
    assert len(tokens) == 1


def test_a_flood_of_refused_tokens_stays_bounded() -> None:
    """The oldest refusals go first."""
    tokens = RefusedTokens(longest=3)
    for number in range(10):
        tokens.add("shop", b"token %d" % number, KEYSET)
    assert len(tokens) == 3
    assert not tokens.has("shop", b"token 6", KEYSET)
    assert tokens.has("shop", b"token 7", KEYSET)


def test_nothing_has_ended_at_first() -> None:
    """What was proven since the worker began is believed."""
    assert not endings().covers(verified(proven_at=START + 1))


def test_what_was_proven_before_the_worker_began_is_in_doubt() -> None:
    """What ended then was never told to it."""
    assert endings().covers(verified(proven_at=START))


def test_an_ended_session_stays_ended() -> None:
    """Whenever it was proven: no read of a row brings it back."""
    memory = endings()
    memory.end("session 1", START + 10)
    assert memory.covers(verified(proven_at=START + 5))
    assert memory.covers(verified(proven_at=START + 20))
    assert not memory.covers(verified(sid="session 2", proven_at=START + 5))


def test_an_ended_account_may_log_in_again() -> None:
    """All its tokens so far are in doubt, those proven later are not."""
    memory = endings()
    memory.end("alice", START + 10)
    assert memory.covers(verified(proven_at=START + 10))
    assert not memory.covers(verified(proven_at=START + 11))
    assert not memory.covers(verified(sub="bob", proven_at=START + 5))


def test_a_second_ending_counts_anew() -> None:
    """Who was blocked again is forgotten after those who ended in between, and judged by the later time."""
    memory = endings(longest=2)
    memory.end("alice", START + 10)
    memory.end("bob", START + 20)
    memory.end("alice", START + 30)
    memory.end("carol", START + 40)
    assert memory.covers(verified(sub="alice", proven_at=START + 30))
    assert memory.covers(verified(sub="bob", proven_at=START + 20))
    assert not memory.covers(verified(sub="dave", proven_at=START + 25))


def test_missed_notices_put_everything_in_doubt() -> None:
    """After a reconnection only what is proven from then on is believed."""
    memory = endings()
    memory.distrust(START + 10)
    assert memory.covers(verified(proven_at=START + 10))
    assert not memory.covers(verified(proven_at=START + 11))


def test_doubt_never_shrinks() -> None:
    """A clock that steps back takes nothing back."""
    memory = endings()
    memory.distrust(START + 10)
    memory.distrust(START + 5)
    assert memory.covers(verified(proven_at=START + 10))


def test_endings_are_remembered_as_long_as_a_token_could_claim_otherwise() -> None:
    """Fifteen minutes and the skew of two clocks; then they are forgotten, one after the other."""
    memory = endings()
    memory.end("session 1", START)
    memory.end("session 2", START + REMEMBERED)
    assert len(memory) == 2
    memory.end("session 3", START + REMEMBERED + 1)
    assert len(memory) == 2


def test_a_flood_of_endings_brings_nothing_back() -> None:
    """The memory stays bounded; what it had to forget is covered by doubt, what is newer stays believed."""
    memory = endings(longest=10)
    for number in range(50):
        memory.end(f"session {number}", START + 1 + number)
    assert len(memory) == 10
    for number in range(50):
        assert memory.covers(verified(sid=f"session {number}", proven_at=START + 1 + number))
    assert not memory.covers(verified(sid="another", proven_at=START + 60))
