"""What the supervisor keeps of its workers' counts, and what it makes of each one's words and silence."""

import subprocess
from pathlib import Path
from typing import cast

import pytest

from gateway.errors import ConfigurationError, SluicegateError
from gateway.model import Secret
from gateway.server import generation
from gateway.server.generation import Ledger, Patience, Worker
from gateway.server.listeners import Leave
from gateway.server.worker import Begin
from tests.helpers.channels import Line

REQUESTS = ("requests_total", ())
BUSY = ("busy", ())
RESTARTS = ("sluicegate_worker_restarts_total", ())


def test_the_counts_of_the_dead_stay() -> None:
    """Each worker's latest counts are in the sums; of those who have ended the counters, not the gauges."""
    ledger = Ledger()
    one, other = object(), object()
    ledger.note(one, {REQUESTS: 1, BUSY: 1})
    ledger.note(one, {REQUESTS: 3, BUSY: 2})
    ledger.note(other, {REQUESTS: 10, BUSY: 5})
    assert ledger.sums() == {REQUESTS: 13, BUSY: 7, RESTARTS: 0}
    ledger.close(one)
    ledger.restarts += 1
    assert ledger.sums() == {REQUESTS: 13, BUSY: 5, RESTARTS: 1}
    ledger.note(one, {REQUESTS: 1})
    ledger.close(other)
    assert ledger.sums() == {REQUESTS: 14, RESTARTS: 1}


def test_a_worker_that_never_counted_leaves_nothing() -> None:
    """It may die before its first word."""
    ledger = Ledger()
    ledger.close(object())
    assert ledger.sums() == {RESTARTS: 0}


class Process:
    """Stands in for a process that ends with this code, or when it is killed."""

    def __init__(self, returncode: int | None) -> None:
        self.returncode = returncode
        self.kills = 0

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self.kills += 1
        self.returncode = -9


def worker(line: Line, process: Process, patience: Patience = generation.PATIENT) -> Worker:
    return Worker(cast("subprocess.Popen[bytes]", process), line.channel, 0, patience)


async def test_a_worker_is_heard_until_it_ends() -> None:
    """Its counts go into the ledger, its question is answered with the sums, and its last counts stay."""
    line, ledger = Line(), Ledger()
    subject = worker(line, Process(0))
    line.hear({"ready": True})
    line.hear({"tally": [["requests_total", [], 2]], "asks": True})
    line.hear({"tally": [["requests_total", [], 3]]})
    line.end()
    await subject.attend(ledger)
    assert await subject.wait_until_up()
    assert [{name: value for name, _, value in message["sums"]} for message in line.sent()] == [
        {"requests_total": 2, "sluicegate_worker_restarts_total": 0}]
    assert ledger.sums() == {REQUESTS: 3, RESTARTS: 0}
    assert subject.end() == "exit code 0"


@pytest.mark.parametrize(("code", "kind", "sentence"), [
    (2, ConfigurationError, "a problem\nanother"),
    (1, SluicegateError, "a problem\nanother"),
])
async def test_a_failed_start_says_why(code: int, kind: type[SluicegateError], sentence: str) -> None:
    """A wrong configuration is told from other reasons by the exit code."""
    line = Line()
    subject = worker(line, Process(code))
    line.hear({"failed": ["a problem", "another"]})
    line.end()
    await subject.attend(Ledger())
    assert not await subject.wait_until_up()
    assert (type(subject.failure()), str(subject.failure())) == (kind, sentence)


async def test_a_worker_that_dies_without_a_word_has_its_end_told() -> None:
    """The signal is named."""
    line = Line()
    line.end()
    subject = worker(line, Process(-11))
    await subject.attend(Ledger())
    assert str(subject.failure()) == "a worker ended before it was ready: signal 11 (Segmentation fault)"


@pytest.mark.parametrize(("messages", "sentence"), [
    ([], "a worker was not ready within 0.02 s"),
    ([{"ready": True}], "a worker said nothing for 0.01 s"),
])
async def test_a_worker_that_hangs_is_killed(messages: list[dict[str, object]], sentence: str) -> None:
    """At its start as well as later, and the reason is kept."""
    line, process = Line(), Process(None)
    for message in messages:
        line.hear(message)
    subject = worker(line, process, Patience(start=0.02, silent=0.01))
    await subject.attend(Ledger())
    assert (process.kills, subject.has_hung, subject.problems) == (1, True, (sentence,))


async def test_a_worker_that_closes_its_end_and_stays_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has nothing left to do."""
    monkeypatch.setattr(generation, "END_SECONDS", 0.01)
    line, process = Line(), Process(None)
    line.end()
    subject = worker(line, process)
    await subject.attend(Ledger())
    assert (process.kills, subject.has_hung) == (1, False)


async def test_an_order_to_leave_is_sent_whole() -> None:
    """The worker makes the same of it."""
    line = Line()
    worker(line, Process(None)).tell(order := Leave(delay=1, grace=2, quiet=3, is_stopping=False))
    [message] = line.sent()
    assert Leave(**message["leave"]) == order


def test_the_order_to_begin_hides_the_store() -> None:
    """It is sent in clear where nobody sees it, and shown nowhere."""
    begin = Begin(text="a", store=Secret("postgresql://hunter2"), public=(3, 4), private=())
    assert "hunter2" not in repr(begin)
    assert Begin.from_message(begin.to_message()) == begin


async def test_a_start_that_fails_for_another_reason_gives_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that was moved away is no matter of limits."""
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    begin = Begin(text="", store=Secret(""), public=(), private=())
    with pytest.raises(SluicegateError, match=r"^a worker cannot be started \(No such file or directory\)$"):
        await Worker.start(Path("x"), begin, 0)
