"""What the data plane tells goes to the counters and to the log."""

import json
import os
from pathlib import Path

from prometheus_client.registry import CollectorRegistry

from gateway.telemetry.accesslog import AccessLog
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.sink import LineSink
from gateway.telemetry.traffic import Traffic


def test_an_answer_is_counted_and_logged(tmp_path: Path) -> None:
    """One answer is one count and one line, and both name the same app."""
    registry = CollectorRegistry()
    metrics = Metrics(registry, apps=["shop"], sources=[], version="0")
    descriptor = os.open(tmp_path / "access.log", os.O_WRONLY | os.O_CREAT)
    log = AccessLog(LineSink(descriptor), lambda: 0.0)
    traffic = Traffic(metrics, log)
    traffic.answered("shop", b"GET", b"/cart?coupon=x", 200, 0.25, "192.0.2.7", b"ab12", 512)
    traffic.answered("-", b"-", b"-", 400, 0.0, "192.0.2.8", b"cd34", 90)
    log.close()
    os.close(descriptor)
    lines = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    seen = [(line["app"], line["path"], line["status"]) for line in lines]
    assert seen == [("shop", "/cart", 200), ("-", "-", 400)]
    labels = {"app": "shop", "status_class": "2xx"}
    assert registry.get_sample_value("sluicegate_proxied_requests_total", labels) == 1
    labels = {"app": "-", "status_class": "4xx"}
    assert registry.get_sample_value("sluicegate_proxied_requests_total", labels) == 1
