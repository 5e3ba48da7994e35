"""One at a time for each key, in the order of arrival, and nobody is forgotten."""

import asyncio

import pytest

from gateway.accounts.turns import LONGEST_QUEUE, Turns
from gateway.errors import Overloaded


class Hall:
    """Takes turns and notes who is in; each leaves when told to."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.entered: list[str] = []
        self._leave: dict[str, asyncio.Event] = {}

    async def visit(self, key: object, name: str) -> None:
        leave = self._leave.setdefault(name, asyncio.Event())
        async with self.turns.of((key,)):
            self.entered.append(name)
            await leave.wait()

    def let_go(self, *names: str) -> None:
        for name in names:
            self._leave.setdefault(name, asyncio.Event()).set()


async def settle() -> None:
    """Let every task run until it waits for another's event."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_turns_of_one_key_come_in_the_order_of_arrival() -> None:
    """The second enters when the first has left."""
    hall = Hall()
    async with asyncio.TaskGroup() as tasks:
        for name in ("one", "two", "three"):
            tasks.create_task(hall.visit("alice", name))
        await settle()
        assert hall.entered == ["one"]
        hall.let_go("one")
        await settle()
        assert hall.entered == ["one", "two"]
        hall.let_go("two", "three")
    assert hall.entered == ["one", "two", "three"]


async def test_other_keys_do_not_wait() -> None:
    """Turns are per identifier."""
    hall = Hall()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hall.visit("alice", "one"))
        tasks.create_task(hall.visit("bob", "two"))
        await settle()
        assert hall.entered == ["one", "two"]
        hall.let_go("one", "two")


async def test_a_turn_that_fails_is_over() -> None:
    """The next one enters, and hears nothing of it."""
    turns = Turns()
    with pytest.raises(ValueError, match="broke"):
        async with turns.of("alice"):
            raise ValueError("broke")
    async with turns.of("alice"):
        pass


async def test_whoever_gives_up_waiting_does_not_hold_the_others_up() -> None:
    """A browser that hangs up in the queue is passed over."""
    hall = Hall()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hall.visit("alice", "one"))
        impatient = tasks.create_task(hall.visit("alice", "two"))
        tasks.create_task(hall.visit("alice", "three"))
        await settle()
        impatient.cancel()
        hall.let_go("one", "three")
    assert hall.entered == ["one", "three"]


async def test_a_full_queue_is_overload() -> None:
    """More than any person has browsers: whoever comes then is told to come back, and others are not."""
    hall = Hall()
    names = [str(number) for number in range(LONGEST_QUEUE)]
    async with asyncio.TaskGroup() as tasks:
        for name in names:
            tasks.create_task(hall.visit("alice", name))
        await settle()
        with pytest.raises(Overloaded):
            await hall.visit("alice", "too many")
        other = tasks.create_task(hall.visit("bob", "bob"))
        hall.let_go("bob")
        await other
        hall.let_go(*names)
    hall.let_go("later")
    await hall.visit("alice", "later")
    assert hall.entered[-1] == "later"


async def test_nothing_is_kept_of_keys_that_nobody_uses() -> None:
    """Guessed identifiers fill no memory."""
    turns = Turns()
    for number in range(100):
        async with turns.of(number):
            pass
    assert turns._locks == turns._waiting == {}
