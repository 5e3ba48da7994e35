"""The shipped Prometheus files and the exposition, judged by Prometheus's own tool."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.model import AccountState
from gateway.ops import render_metrics
from gateway.store.base import SourceCount
from gateway.telemetry.metrics import FAMILIES, KeyRow, Metrics, Pulled, open_registry

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
TESTS = DEPLOY / "prometheus" / "rules_test.yml"
TOOL = "promtool"


@pytest.fixture(scope="module")
def promtool() -> str:
    """Return the tool; its absence is said aloud, and a failure where CI has promised it."""
    found = shutil.which(TOOL)
    if found is None:
        reason = "promtool is not installed, so Prometheus rules and metrics are NOT checked: make test-deps"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def run(*command: str, given: bytes = b"", where: Path = DEPLOY) -> None:
    """Run the tool and show what it says where it finds something."""
    ended = subprocess.run(command, input=given, cwd=where, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 0, (ended.stdout + ended.stderr).decode()


def exposition(accept: str = "") -> bytes:
    """Return what a gateway with some of everything shows."""
    registry = open_registry()
    metrics = Metrics(registry, apps=["shop", "wiki"], sources=["shop-users"], version="0.1.0")
    metrics.login("shop", "granted", "store")
    metrics.migrated("shop-users", "login")
    metrics.source_called("shop-users", "right", 0.02)
    metrics.hashed(0.001, 0.025)
    metrics.proxied("shop", 200, 0.004)
    metrics.upstream_error("wiki", "connect")
    metrics.pull(Pulled(
        accounts=(SourceCount(source="shop-users", state=AccountState.ACTIVE, accounts=3),),
        hash_queue_depth=1, hash_busy=2, open_breakers=frozenset({"shop-users"}),
        keys=(KeyRow(kid="k1", state="active", algorithm="EdDSA", age=12.5),), access_log_dropped=4))
    return render_metrics(registry, accept)[2]


def test_metrics_follow_the_conventions(promtool: str) -> None:
    """Prometheus's linter finds nothing in a real exposition."""
    run(promtool, "check", "metrics", given=exposition())


def test_the_linter_would_find_something(promtool: str) -> None:
    """The same call fails for a counter without the suffix, so its silence means something."""
    with pytest.raises(AssertionError, match="_total"):
        run(promtool, "check", "metrics",
            given=b"# HELP sluicegate_x Is wrong.\n# TYPE sluicegate_x counter\nsluicegate_x 1\n")


def test_rules_are_well_formed(promtool: str) -> None:
    """Prometheus accepts the recording and alerting rules."""
    run(promtool, "check", "rules", str(RULES))


def test_rules_do_what_they_say(promtool: str) -> None:
    """Every alert fires for its own cause, stays silent for the neighbour, and records are what they say."""
    run(promtool, "test", "rules", str(TESTS))


def test_every_alert_is_tested_both_ways() -> None:
    """No alert is without a case in which it fires and one in which it does not."""
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text()))
    tests = TESTS.read_text()
    assert alerts == set(re.findall(r"alertname: (\w+)\n\s+exp_alerts:\n", tests))
    assert alerts == set(re.findall(r"alertname: (\w+), exp_alerts: \[\]", tests))


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    """Each alert has a severity, a summary and a description."""
    alerts = RULES.read_text().split("- alert: ")[1:]
    for needed in ("severity: ", "summary: ", "description: "):
        assert all(needed in alert for alert in alerts), needed


def test_rules_use_metrics_that_exist() -> None:
    """A renamed metric cannot leave a rule that is silent for ever."""
    known = {family.name for family in FAMILIES}
    known |= {f"{family.name}_bucket" for family in FAMILIES if family.buckets}
    used = set(re.findall(r"\bsluicegate_\w+", RULES.read_text() + TESTS.read_text()))
    assert used <= known


def test_the_documented_scrape_configuration_is_valid(promtool: str, tmp_path: Path) -> None:
    """What deploy/README.md tells operators to paste is accepted by Prometheus."""
    documented = re.search(r"```yaml\n(scrape_configs:.*?)```", (DEPLOY / "README.md").read_text(), re.DOTALL)
    assert documented is not None
    token = tmp_path / "sluicegate-token"
    token.write_text("a token")
    text = documented[1].replace("/etc/prometheus/sluicegate-token", str(token))
    (tmp_path / "prometheus.yml").write_text(text)
    shutil.copy(RULES, tmp_path / "rules.yml")
    run(promtool, "check", "config", "prometheus.yml", where=tmp_path)
