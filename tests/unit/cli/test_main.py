"""The command line where it opens nothing: mistakes, exit codes, help."""

import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import pytest

from gateway.cli.main import main
from gateway.errors import ConfigurationError, Problem, StoreUnavailable
from tests.helpers.project import ROOT

SIX_MISTAKES = """\
[listen]
public = "127.0.0.1"
trusted_proxys = ["10.9.8.7"]

[private]
token = "correct-horse-battery-staple"

[tokens]
issuer = "http://127.0.0.1:8080"
access_minutes = 8765

[store]
url = "postgresql://sluicegate:hunter2-in-a-url@db.internal.test/gateway"

[keys]
encryption_key = "env:A_VARIABLE_THAT_IS_NOT_SET"

[[app]]
name = "shop"
hosts = ["*"]
upstream = "http://127.0.0.1:8000"
preset = "drupango"
source = "shop-users"

[source.shop-users]
adapter = "form"
"""
NAMED = ["2: listen.public:", "3: listen.trusted_proxys:", "6: private.token:", "10: tokens.access_minutes:",
         "13: store.url:", "16: keys.encryption_key:", "22: app[0].preset:"]
VALUES = ["10.9.8.7", "correct-horse", "8765", "hunter2", "db.internal.test", "drupango"]

module = import_module("gateway.cli.main")  # its package shows the function under this name
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line with these words; return exit code, standard output and standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sluicegate", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def test_mistakes_are_named_together_with_their_places(run: Run, tmp_path: Path) -> None:
    """Every mistake is named with file, line and key, in the order of lines; no value is ever shown."""
    file = tmp_path / "sluicegate.toml"
    file.write_text(SIX_MISTAKES)
    code, out, err = run("check", "--config", str(file))

    assert (code, out) == (2, "")
    places = [re.match(rf"{re.escape(str(file))}:(\d+: \S+) \S", line) for line in err.splitlines()]
    assert [place[1] for place in places if place] == NAMED
    assert len(places) == len(NAMED)
    assert [value for value in VALUES if value in err] == []


def test_syntax_error_stands_alone(run: Run, tmp_path: Path) -> None:
    """A file that is not TOML has one mistake, whatever else is wrong in it."""
    file = tmp_path / "sluicegate.toml"
    file.write_text(SIX_MISTAKES + 'path = "hunter3\n')
    code, out, err = run("check", "--config", str(file))

    assert (code, out) == (2, "")
    [line] = err.splitlines()
    assert line.startswith(f"{file}:27: syntax: is not TOML: ")
    assert "hunter3" not in err


def test_good_configuration(run: Run) -> None:
    """The reference file is good, and check says what follows from it."""
    code, out, err = run("check", "-c", str(ROOT / "config" / "sluicegate.toml"))
    assert (code, err) == (0, "")
    assert out.startswith(f"{ROOT}/config/sluicegate.toml: good; 2 app(s), 2 source(s)\n")


def test_configuration_comes_from_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not like to repeat --config sets a variable."""
    monkeypatch.setenv("SLUICEGATE_CONFIG", str(ROOT / "config" / "sluicegate.toml"))
    assert run("check")[0] == 0


def test_missing_file(run: Run, tmp_path: Path) -> None:
    """A file that is not there is one sentence."""
    code, out, err = run("check", "--config", str(tmp_path / "nowhere.toml"))
    assert (code, out) == (2, "")
    assert err == f"{tmp_path}/nowhere.toml: this file cannot be read (No such file or directory)\n"


@pytest.mark.parametrize(("error", "code", "said"), [
    (ConfigurationError("one"), 2, "one\n"),
    (ConfigurationError(Problem(file="f", line=3, key="k", message="is wrong"), "two"), 2, "f:3: k: is wrong\ntwo\n"),
    (StoreUnavailable("the store cannot be reached"), 1, "the store cannot be reached\n"),
])
def test_own_errors_are_sentences(run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int,
                                  said: str) -> None:
    """An error of ours is its own words on standard error, and the documented exit code."""

    def fail(_path: Path) -> NoReturn:
        raise error

    monkeypatch.setattr(module, "read_configuration", fail)
    assert run("check", "--config", "any") == (code, "", said)


@pytest.mark.parametrize("words", [["check"], ["users", "show", "--config", "x", "no-uuid"], ["nonsense"],
                                   ["demo", "--port", "65536"], ["demo", "--private-port", "0"],
                                   ["migration", "phase", "--config", "x", "shop", "finished"]])
def test_wrong_command_is_exit_code_2(run: Run, words: list[str]) -> None:
    """What the command line itself does not understand is told before anything is done."""
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert "Usage: sluicegate" in err


def test_port_zero_cannot_be_asked(run: Run, tmp_path: Path) -> None:
    """With any free port nobody knows whom to ask for health."""
    file = tmp_path / "sluicegate.toml"
    file.write_text('[private]\nlisten = "127.0.0.1:0"\n[tokens]\nissuer = "http://127.0.0.1:8080"\n'
                    '[[app]]\nname = "shop"\nhosts = ["*"]\nupstream = "http://127.0.0.1:8000"\n')
    code, _, err = run("health", "--config", str(file))
    assert (code, err) == (2, "private.listen has port 0, any free one: name a port so that it can be asked\n")


def test_demo_names_what_it_lacks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its extra the demo says how to get it."""
    monkeypatch.setattr(module, "find_spec", lambda name: None if name in ("django", "gunicorn") else object())
    code, _, err = run("demo")
    assert (code, err) == (2, "the demo needs django, gunicorn: pip install 'sluicegate[demo]'\n")


def test_demo_wants_a_folders_name(run: Run) -> None:
    """An empty name, as an unset variable makes it, is not taken for the working folder."""
    assert run("demo", "--state", "") == (
        2, "", "--state needs the name of a folder; without the option a temporary one is used\n")


def test_version(run: Run) -> None:
    """The version is the distribution's."""
    code, out, _ = run("--version")
    assert code == 0
    assert re.fullmatch(r"sluicegate \d+\.\d+\.\d+\n", out)


@pytest.mark.parametrize("words", [[], ["serve"], ["check"], ["health"], ["demo"], ["users"], ["users", "list"],
                                   ["users", "show"], ["users", "block"], ["users", "unblock"], ["users", "delete"],
                                   ["keys"], ["keys", "list"], ["migration"], ["migration", "status"],
                                   ["migration", "phase"]])
def test_every_command_has_help(run: Run, words: list[str]) -> None:
    """Each command says what it is for."""
    code, out, err = run(*words, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: sluicegate {' '.join(words)}".rstrip() in out
    assert len(out.split()) > 10
