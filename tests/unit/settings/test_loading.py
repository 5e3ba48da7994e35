"""Whole files: what they become, every mistake at once, and the reference that ships with the gateway."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from adapters.sql import SqlOptions
from gateway.errors import ConfigurationError, Problem
from gateway.identifiers import Comparison
from gateway.intercept.tables import RuleTable
from gateway.model import Phase, Secret
from gateway.settings import (
    Address,
    AppSection,
    HashingSection,
    KeysSection,
    LimitsSection,
    ListenSection,
    LogSection,
    PrivateSection,
    Section,
    Settings,
    SourceSection,
    every_setting,
    load,
)

REFERENCE = Path(__file__).parents[3] / "config" / "sluicegate.toml"
MARK = "hunter2-Pa55"


class FormOptions(Section):
    """Stands for an adapter without settings of its own."""


OPTIONS = {"sql": SqlOptions, "form": FormOptions}
SMALLEST = """
[tokens]
issuer = "http://127.0.0.1:8080"
[[app]]
name = "shop"
hosts = ["shop.test"]
upstream = "http://127.0.0.1:8000"
"""
WITH_SOURCE = SMALLEST + """
source = "users"
[[app.rule]]
name = "in"
kind = "login"
path = "/login"
[source.users]
adapter = "sql"
url = "sqlite:users.db"
preset = "django"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gate.toml"


def read(file: Path, text: str, environ: Mapping[str, str] = {}) -> Settings:
    file.write_text(text)
    return load(file, environ, OPTIONS, RuleTable)


def problems(file: Path, text: str, environ: Mapping[str, str] = {}) -> dict[str, tuple[int, str]]:
    """Return line and sentence of each problem by its key; of several the first."""
    with pytest.raises(ConfigurationError) as caught:
        read(file, text, environ)
    assert MARK not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    found = [problem for problem in caught.value.problems if isinstance(problem, Problem)]
    assert len(found) == len(caught.value.problems)
    assert [problem.line for problem in found] == sorted(problem.line for problem in found)
    assert {problem.file for problem in found} == {str(file)}
    return {problem.key: (problem.line, problem.message) for problem in reversed(found)}


def test_the_smallest_file_is_plain_pass_through(file: Path) -> None:
    """Everything else has a default."""
    settings = read(file, SMALLEST)
    assert settings.listen == ListenSection(public=Address(host="127.0.0.1", port=8080), trusted_proxies=())
    assert settings.private == PrivateSection(listen=Address(host="127.0.0.1", port=8081), token=None)
    assert settings.store.is_embedded
    assert settings.store.state == file.parent / "sluicegate-state"
    assert settings.keys == KeysSection(encryption_key=None)
    assert (settings.tokens.access_minutes, settings.tokens.session_hours) == (15, 24)
    assert settings.hashing == HashingSection(memory_kib=19456, passes=2, lanes=1, threads=None, queue=128)
    assert (settings.limits, settings.log) == (LimitsSection(), LogSection(level="info", access=True))
    assert settings.sources == {}
    [app] = settings.apps
    assert app == AppSection.model_validate({
        "name": "shop", "hosts": ("shop.test",), "upstream": "http://127.0.0.1:8000", "path": "/", "source": None,
        "preset": None, "password_change": None, "legacy_changes": "follow", "handoff": "replay", "allowed_origins": (),
        "fold_case": False, "path_parameters": (), "rule": (),
    })


def test_rules_and_options_are_read_by_their_own_models(file: Path) -> None:
    """The section holds instances of the models that came in."""
    settings = read(file, WITH_SOURCE)
    assert settings.apps[0].rules == (RuleTable(name="in", kind="login", path="/login"),)  # type: ignore[arg-type]
    source = settings.sources["users"]
    assert isinstance(source.options, SqlOptions)
    assert source.options.sqlite_file == file.parent / "users.db"
    assert (source.name, source.adapter, source.phase) == ("users", "sql", Phase.MIGRATE)
    assert (source.compare, source.timeout_seconds) == (Comparison.EXACT, 5.0)


def test_secrets_are_resolved_and_masked(file: Path) -> None:
    """From the environment and from files; no repr of the settings shows them."""
    (file.parent / "key").write_text(MARK)
    (file.parent / "key").chmod(0o600)
    text = SMALLEST + '[private]\ntoken = "env:TOKEN"\n[keys]\nencryption_key = "file:key"\n[store]\nurl = "env:URL"\n'
    settings = read(file, text, {"TOKEN": MARK, "URL": f"postgresql://u:{MARK}@db/x"})
    assert settings.private.token == settings.keys.encryption_key == Secret(MARK)
    assert settings.store.url.reveal().startswith("postgresql://")
    assert not settings.store.is_embedded
    assert MARK not in repr(settings)


def test_settings_cannot_be_changed(file: Path) -> None:
    """They are frozen, section by section."""
    settings = read(file, SMALLEST)
    with pytest.raises(ValueError, match="frozen"):
        settings.listen = settings.listen  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        settings.log.level = "debug"  # type: ignore[misc]


def test_networks_are_networks(file: Path) -> None:
    """Ready to be compared with addresses."""
    settings = read(file, SMALLEST + '[listen]\ntrusted_proxies = ["10.0.0.0/8"]\n')
    assert settings.listen.trusted_proxies == (IPv4Network("10.0.0.0/8"),)


def test_whole_numbers_are_seconds_too(file: Path) -> None:
    """5 is 5.0 where a fraction may be."""
    assert read(file, SMALLEST + "[limits]\nhead_seconds = 5\n").limits.head_seconds == 5.0


def test_a_later_mistake_is_placed_alike(file: Path) -> None:
    """Those who find one after loading name the path, and the settings know file and line."""
    found = read(file, WITH_SOURCE).problem(("app", 0, "rule", 0, "path"), "is no path")
    assert str(found) == f"{file}:13: app[0].rule[0].path: is no path"


# ---- mistakes -------------------------------------------------------------------------------------------

SIX_MISTAKES = f"""[listen]
public = "127.0.0.1"
trusted_proxys = ["{MARK}"]
[private]
token = "{MARK}"
[store]
url = "postgresql://gate:{MARK}@db/gate"
[keys]
encryption_key = "file:absent"
[tokens]
issuer = "http://127.0.0.1:8080"
access_minutes = 60
[[app]]
name = "shop"
hosts = ["shop.test"]
upstream = "http://user:{MARK}@127.0.0.1:8000"
source = "users"
"""


def test_all_mistakes_are_named_at_once_with_lines_and_without_values(file: Path) -> None:
    """Whoever corrects a file should not have to start the gateway once for each line of it."""
    found = problems(file, SIX_MISTAKES)
    assert {key: line for key, (line, _) in found.items()} == {
        "listen.public": 2, "listen.trusted_proxys": 3, "private.token": 5, "store.url": 7,
        "keys.encryption_key": 9, "tokens.access_minutes": 12, "app[0].upstream": 16, "app[0].source": 17,
    }


def test_a_mistake_inside_a_section_hides_none_between_sections(file: Path) -> None:
    """The app with a wrong upstream is compared with the others all the same."""
    text = WITH_SOURCE.replace("http://127", "ftp://127") + """
[[app]]
name = "shop"
hosts = ["shop.test"]
upstream = 7
source = "usres"
"""
    assert {"app[0].upstream", "app[1].upstream", "app[1].name", "app[1].hosts", "app[1].source"} <= set(
        problems(file, text)
    )


def test_a_missing_key_is_placed_at_its_table(file: Path) -> None:
    """As for a table that is missing itself: at the top."""
    text = "\n" + SMALLEST.replace('name = "shop"\n', "").replace('issuer = "http://127.0.0.1:8080"\n', "")
    assert problems(file, text) == {"tokens.issuer": (3, "is missing"), "app[0].name": (4, "is missing")}
    assert problems(file, "") == {
        "tokens.issuer": (1, "is missing"),
        "app": (1, "is missing; at least one [[app]] table says what stands behind the gateway"),
    }


@pytest.mark.parametrize(
    ("text", "key", "place", "hint"),
    [
        ('[lissten]\npublic = "x"', "lissten", 1, "did you mean listen?"),
        ("public = 1", "public", 1, "known are app, hashing, keys"),
        ("[throttle]\nfree = 5", "throttle", 1, "known are"),
        ("[shadow]", "shadow", 1, "known are"),
        ("[limits]\nhead_byte = 5", "limits.head_byte", 2, "did you mean head_bytes?"),
        ("[hashing]\ncost = 1", "hashing.cost", 2, "known are lanes, memory_kib, passes, queue, threads"),
    ],
)
def test_an_unknown_section_or_key_is_a_mistake(file: Path, text: str, key: str, place: int, hint: str) -> None:
    """A setting of a later version must not be taken for one that works."""
    [(found, (line, sentence))] = problems(file, f"{text}\n{SMALLEST}").items()
    assert (found, line) == (key, place)
    assert hint in sentence


@pytest.mark.parametrize("key", ["seal", "share", "headers", "require", "only", "other_secrets", "rules"])
def test_what_is_not_built_is_unknown_in_an_app(file: Path, key: str) -> None:
    """Nor are names that only the code has."""
    [(found, (_, sentence))] = problems(file, SMALLEST + f"{key} = 1\n").items()
    assert found == f"app[0].{key}"
    assert "known are access, allowed_origins, denied," in sentence


@pytest.mark.parametrize("key", ["share", "seal", "name", "options", "imported_offline", "ulr"])
def test_what_is_not_built_is_unknown_in_a_source(file: Path, key: str) -> None:
    """The adapter's own keys are known beside those of every source."""
    [(found, (_, sentence))] = problems(file, WITH_SOURCE + f"{key} = 1\n").items()
    assert found == f"source.users.{key}"
    assert "adapter, compare, connections, identifiers, login, phase, preset, timeout_seconds, url" in sentence


@pytest.mark.parametrize("phase", ['"shadow"', '"Migrate"', "1", '["migrate"]', "true"])
def test_a_phase_is_one_of_those_that_are_built(file: Path, phase: str) -> None:
    """`shadow` is not."""
    found = problems(file, WITH_SOURCE + f"phase = {phase}\n")
    assert {key: sentence for key, (_, sentence) in found.items()} == {
        "source.users.phase": 'must be "migrate" or "complete"'
    }


@pytest.mark.parametrize(
    ("text", "key", "sentence"),
    [
        ("listen = 3", "listen", "must be a table"),
        ("app = 3", "app", "must be written as [[app]], once for each app"),
        ("[app]\nname = 'x'", "app", "must be written as [[app]], once for each app"),
        ("app = [3]", "app[0]", "must be a table"),
        ("source = 3", "source", "must be written as [source.NAME], once for each source"),
        ("[[source]]", "source", "must be written as [source.NAME], once for each source"),
        ("source.users = 3", "source.users", "must be a table"),
        ('source.Users.adapter = "form"', "source.Users",
         "must be a short name: a lower-case letter, then lower-case letters, digits and hyphens"),
        ("[source.users]", "source.users.adapter", 'must be "sql" or "form"'),
        (f'[source.users]\nadapter = "{MARK}"', "source.users.adapter", 'must be "sql" or "form"'),
        ("[source.users]\nadapter = ['sql']", "source.users.adapter", 'must be "sql" or "form"'),
        ("[[app]]\nrule = 3", "app[0].rule", "must be written as [[app.rule]], once for each rule"),
        ("[[app]]\nrule = [3]", "app[0].rule[0]", "must be a table"),
        ("[[app]]\nhosts = []", "app[0].hosts", "must have 1 or more entries"),
        ("[[app]]\nhosts = 'a'", "app[0].hosts", 'must be a list, such as ["…"]'),
        ("[[app]]\npassword_change = ''", "app[0].password_change", "must be 'none'"),
        ("[[app]]\ndenied = 'page'", "app[0].denied", "must be 'app' or 'status'"),
        ("[[app]]\nlegacy_changes = 'seal'", "app[0].legacy_changes", "must be 'follow' or 'ignore'"),
        ("[[app]]\nfold_case = 1", "app[0].fold_case", "must be true or false, without quotes"),
        ("[log]\nlevel = 'trace'", "log.level", "must be 'debug', 'info', 'warning' or 'error'"),
        ("[hashing]\nmemory_kib = 8", "hashing.memory_kib", "must be at least 19456"),
        ("[tokens]\naccess_minutes = 16", "tokens.access_minutes", "must be at most 15"),
        ("[limits]\nhead_seconds = inf", "limits.head_seconds", "must be a finite number"),
        ("[limits]\nhead_seconds = 0", "limits.head_seconds", "must be more than 0"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_what_it_must_be(file: Path, text: str, key: str, sentence: str) -> None:
    """A table or a list in the wrong form is told the right one."""
    assert problems(file, text)[key][1] == sentence


def test_with_an_unknown_adapter_the_common_keys_are_still_read(file: Path) -> None:
    """Only those that it alone could know are passed over."""
    text = WITH_SOURCE.replace('"sql"', '"slq"') + "timeout_seconds = 0\n"
    assert set(problems(file, text)) == {"source.users.adapter", "source.users.timeout_seconds"}


def test_a_rule_is_checked_by_its_own_model(file: Path) -> None:
    """With its line and the keys that it knows."""
    text = WITH_SOURCE.replace('kind = "login"', f'kind = "{MARK}"').replace('path = "/login"', f'pth = "{MARK}"')
    found = problems(file, text)
    assert {key: line for key, (line, _) in found.items()} == {
        "app[0].rule[0].kind": 12, "app[0].rule[0].pth": 13, "app[0].rule[0].path": 10,
    }
    assert "did you mean path?" in found["app[0].rule[0].pth"][1]


def test_a_syntax_error_stands_alone(file: Path) -> None:
    """What comes after it cannot be judged."""
    [(key, (line, sentence))] = problems(file, f'[listen]\npublic = 3\nx = "{MARK}\n[nonsense]\n').items()
    assert (key, line) == ("syntax", 3)
    assert sentence.startswith("is not TOML: ")
    assert "line" not in sentence


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\na = 2\n", 2), ("[a]\n[a]\n", 2), ("a", 1), ("\n\n= 1\n", 3), ("a = [\n1\n\n", 4), ('a = """\n\n', 3),
        ("a = 1979-13-01\n", 1), (f"a = {MARK}\n", 1), ("a = " + "1" * 5000, 1), ("a = " + "[" * 5000, 1),
    ],
)
def test_every_syntax_error_has_a_line(file: Path, text: str, line: int) -> None:
    """Also at the end of the file, and where the parser itself gives up."""
    [(key, (found, _))] = problems(file, text).items()
    assert (key, found) == ("syntax", line)


def test_a_byte_order_mark_is_no_mistake(file: Path) -> None:
    """Some editors write one; lines and keys stay what they are."""
    assert read(file, f"\ufeff{SMALLEST}").apps[0].name == "shop"
    assert problems(file, "\ufeff[listen]\npubic = 1\n")["listen.pubic"][0] == 2


def test_a_file_that_is_no_text_is_told_where(file: Path) -> None:
    """The line of the first foreign byte."""
    file.write_bytes(b"# ok\n[listen]\npublic = '\xff'\n")
    with pytest.raises(ConfigurationError, match=r"gate\.toml:3: syntax: is not UTF-8 text"):
        load(file, {}, OPTIONS, RuleTable)


def test_a_file_that_cannot_be_read_is_one_sentence(file: Path) -> None:
    """Missing, or a folder."""
    with pytest.raises(ConfigurationError, match=r"gate\.toml: this file cannot be read \(No such file"):
        load(file, {}, OPTIONS, RuleTable)
    with pytest.raises(ConfigurationError, match="Is a directory"):
        load(file.parent, {}, OPTIONS, RuleTable)


# ---- further examination --------------------------------------------------------------------------------


def test_further_mistakes_of_apps_join_all_others(file: Path) -> None:
    """Those who know rules are shown each app that could be read, with its source."""
    seen: list[tuple[str, SourceSection | None]] = []

    def examine(app: AppSection, source: SourceSection | None) -> Iterator[tuple[tuple[str | int, ...], str]]:
        seen.append((app.name, source))
        yield ("rule", 0, "path"), "leads nowhere"

    file.write_text(WITH_SOURCE + "[log]\nlevel = 1\n" + SMALLEST.partition("[[app]]")[2].join(["[[app]]", ""]).replace(
        "shop", "plain") + "[[app]]\nname = 7\n")
    with pytest.raises(ConfigurationError) as caught:
        load(file, {}, OPTIONS, RuleTable, examine)
    assert [name for name, _ in seen] == ["shop", "plain"]
    assert seen[0][1] is not None
    assert seen[1][1] is None
    told = str(caught.value)
    assert f"{file}:13: app[0].rule[0].path: leads nowhere" in told
    assert "log.level" in told


def test_an_app_with_a_broken_rule_is_not_examined_further(file: Path) -> None:
    """Without the rule it would be another app, and the mistakes another app's."""
    text = WITH_SOURCE.replace('name = "in"\n', "")
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(file, {}, OPTIONS, RuleTable, lambda app, source: [((), "was examined")])
    assert "was examined" not in str(caught.value)


# ---- the reference --------------------------------------------------------------------------------------


def keys_in(value: object, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of a document without positions."""
    match value:
        case dict():
            for key, item in value.items():
                yield from keys_in(item, f"{prefix}.{key}".removeprefix("."))
        case list() if value and isinstance(value[0], dict):
            for item in value:
                yield from keys_in(item, prefix)
        case _:
            yield prefix


def uncommented(text: str) -> str:
    """Return the reference with its optional settings written out."""
    return re.sub(r"^# ([a-z_]+ = .*)$", r"\1", text, flags=re.MULTILINE)


def test_the_reference_loads_as_it_stands() -> None:
    """Without any environment."""
    settings = load(REFERENCE, {}, OPTIONS, RuleTable)
    assert [app.name for app in settings.apps] == ["shop", "wiki"]


def test_the_reference_loads_with_every_optional_setting(tmp_path: Path) -> None:
    """What is commented out is no less true."""
    (tmp_path / "encryption-key").write_text("k")
    (tmp_path / "encryption-key").chmod(0o600)
    file = tmp_path / "sluicegate.toml"
    settings = read(file, uncommented(REFERENCE.read_text()), {"SLUICEGATE_TOKEN": "t"})
    assert settings.private.token == Secret("t")
    assert settings.apps[0].password_change == "none"


def test_every_setting_is_in_the_reference() -> None:
    """And nothing else: each key of each model, adapters and rules included."""
    root = tomllib.loads(uncommented(REFERENCE.read_text()))
    written = set(keys_in({**root, "source": list(root["source"].values())}))
    known = every_setting(OPTIONS, RuleTable)
    missing = {key for key in known if not any(one == key or one.startswith(f"{key}.") for one in written)}
    assert missing == set()
    assert {one for one in written if not any(one == key or one.startswith(f"{key}.") for key in known)} == set()


def test_the_reference_shows_the_defaults(file: Path) -> None:
    """What a newcomer copies changes nothing but apps and sources."""
    shown, default = load(REFERENCE, {}, OPTIONS, RuleTable), read(file, SMALLEST)
    for section in ("listen", "private", "keys", "limits", "log", "tokens"):
        assert getattr(shown, section) == getattr(default, section)
    assert shown.hashing.model_copy(update={"threads": None}) == default.hashing
    assert (shown.store.url, shown.store.state.name) == (default.store.url, default.store.state.name)
    optional = {"path", "legacy_changes", "handoff", "identity", "denied", "login_page", "login_next", "home",
                "allowed_origins", "fold_case", "path_parameters"}
    assert shown.apps[0].model_dump(include=optional) == default.apps[0].model_dump(include=optional)


def test_every_setting_is_listed_once_and_by_its_name_in_the_file() -> None:
    """Of every adapter, and of rules to the last condition."""
    known = every_setting(OPTIONS, RuleTable)
    assert len(known) == len(set(known))
    assert {"listen.public", "app.rule.probe.path", "app.rule.right.status", "source.url"} <= set(known)
    assert not {"app.rules", "source.name", "source.options", "app.rule.right"} & set(known)
