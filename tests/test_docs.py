"""The documentation: everything that can be set, watched, asked or run is described, and nothing that is not there."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from adapters import ADAPTERS
from gateway.admin.routes import ROUTES
from gateway.cli.main import cli
from gateway.demo.walk import Walk
from gateway.intercept.presets import preset_names
from gateway.intercept.tables import RuleTable
from gateway.plan import read_settings
from gateway.proxy.wellknown import JWKS_PATH
from gateway.settings import every_setting
from gateway.telemetry.metrics import LOGIN_ENDS, Metrics
from tests.helpers.project import ROOT, project_files

README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "deploy" / "README.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
REFERENCE = ROOT / "config" / "sluicegate.toml"
DOCUMENTS = [file for file in project_files() if file.suffix == ".md"]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
METRIC = re.compile(r"\bsluicegate_[a-z_]+")


def commands(command: object, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that does something, with its words."""
    group = getattr(command, "commands", {})
    for name, below in group.items():
        yield from commands(below, (*words, name))
    if not group:
        yield words, command


COMMANDS = dict(commands(get_command(cli)))


# ---- settings ----------------------------------------------------------------------------------------------------


def test_reference_loads() -> None:
    """The reference is a valid configuration as it stands."""
    assert len(read_settings(REFERENCE, {}).apps) == 2


@pytest.mark.parametrize("setting", every_setting(ADAPTERS, RuleTable))
def test_setting_is_in_the_reference(setting: str) -> None:
    """Each setting stands in the reference, with a value or as a comment that shows one."""
    key = re.escape(setting.rpartition(".")[2])
    assert re.search(rf"^(?:# )?{key} = |[{{,] *{key} = ", REFERENCE.read_text(), re.MULTILINE)


# ---- metrics and endpoints ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", Metrics.names())
def test_metric_is_documented(name: str) -> None:
    """Each metric has a line in the table of metrics."""
    assert re.search(rf"^\| `{name}` \| (?:counter|gauge|histogram) \|", OPERATIONS, re.MULTILINE)


def test_no_other_metric_is_documented() -> None:
    """The table describes no metric that is not there, and neither do rules name one."""
    described = set(re.findall(r"^\| `(sluicegate_\w+)` \| (?:counter|gauge|histogram)", OPERATIONS, re.MULTILINE))
    assert described == set(Metrics.names())


def test_every_end_of_a_login_is_documented() -> None:
    """Each outcome and decider that a login is counted by has its meaning written down."""
    table = OPERATIONS.partition("How a login ends:")[2].partition("###")[0]
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \| .{10,} \|$", table, re.MULTILINE)
    described = {(outcome, decider) for outcome, deciders in rows for decider in re.findall(r"\w+", deciders)}
    assert described == {(outcome, decider) for outcome, deciders in LOGIN_ENDS.items() for decider in deciders}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_endpoint_is_documented(route: object) -> None:
    """Each path of the private listener has a line, which says whether it needs the token."""
    needs = "yes" if route.needs_token else "no"
    assert re.search(rf"^\| `{route.method} {re.escape(route.path)}` \| {needs} \| .+ \|$", OPERATIONS, re.MULTILINE)


def test_no_other_endpoint_is_documented() -> None:
    """The table has the private listener's paths and the public key set, and nothing else."""
    described = re.findall(r"^\| `(GET|POST|PUT|DELETE|PATCH) (\S+)` \|", OPERATIONS, re.MULTILINE)
    own = [(route.method, route.path) for route in ROUTES]
    assert sorted(described) == sorted([*own, ("GET", JWKS_PATH.decode())])


# ---- commands ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_is_documented(words: tuple[str, ...]) -> None:
    """Each command has a line in the table of commands."""
    assert re.search(rf"^\| `{' '.join(words)}(?: [^`]+)?` \| .+ \|$", OPERATIONS, re.MULTILINE)


def test_no_other_command_is_named() -> None:
    """Wherever a document says `sluicegate …`, there is such a command."""
    groups = {words[0] for words in COMMANDS if len(words) > 1}
    known = {words[0] for words in COMMANDS}
    for document in DOCUMENTS:
        for first, second in re.findall(r"\bsluicegate ([a-z]+)(?: ([a-z]+))?\b", commands_in(document.read_text())):
            assert first in known, (document, first)
            assert first not in groups or (first, second) in COMMANDS, (document, first, second)


def commands_in(text: str) -> str:
    """Return the code of a document: blocks of commands, and words in backquotes."""
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", CODE.sub("", text))])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_explains_itself(words: tuple[str, ...]) -> None:
    """Each command has a sentence, and each of its options and arguments a word."""
    command = COMMANDS[words]
    assert (command.help or "").strip().endswith(".")
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", "")] == []


# ---- the rest ----------------------------------------------------------------------------------------------------


def test_readme_shows_the_walk_as_it_is() -> None:
    """The steps that the README shows are those that the walk takes."""
    shown = re.findall(r"^  \d\. (.+)$", README, re.MULTILINE)
    steps = (Walk.wrong_password, Walk.first_right_password, Walk.account_in_store, Walk.token_verifies,
             Walk.legacy_way_is_cut, Walk.password_changes, Walk.parallel_first_logins, Walk.numbers)
    assert shown == [(step.__doc__ or "").splitlines()[0] for step in steps]


def test_readme_begins_with_what_it_is() -> None:
    """The first screen has a sentence, a picture and the two commands."""
    first_screen = "\n".join(README.splitlines()[:30])
    assert README.startswith("# Sluicegate\n\nSluicegate is ")
    assert "make demo" in first_screen
    assert "make test" in first_screen
    assert "▶" in first_screen


def test_every_preset_is_named() -> None:
    """Each preset is in the README's example, the reference, or both."""
    assert [name for name in preset_names() if f'preset = "{name}"' not in README + REFERENCE.read_text()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Each link between documents leads to a file of the project."""
    targets = [target.partition("#")[0] for target in LINK.findall(CODE.sub("", document.read_text()))]
    inner = [target for target in targets if target and not target.startswith(("https://", "http://"))]
    places = [Path(os.path.normpath(document.parent / target)) for target in inner]
    assert [str(place) for place in places if not place.exists() or not place.is_relative_to(ROOT)] == []


def test_changelog_has_an_unreleased_section() -> None:
    """What was changed since the last release is collected under Unreleased, at the top."""
    headings = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    section = CHANGELOG.partition("## [Unreleased]")[2].partition("\n## ")[0]
    assert re.search(r"^### (?:Added|Changed|Deprecated|Removed|Fixed|Security)$", section, re.MULTILINE)
    assert re.search(r"^- \S", section, re.MULTILINE)


def test_every_makefile_target_has_a_word() -> None:
    """`make help` shows every target that people may call."""
    makefile = (ROOT / "Makefile").read_text()
    [phony] = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    described = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert set(phony.split()) - described == {"lint", "types", "layers"}  # parts of check
