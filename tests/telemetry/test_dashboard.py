"""The dashboard and the alerts: whole, and about metrics that there are, each explained for people."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from telemetry import labels, metrics

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/1022.json").read_text("utf-8"))
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
MANUAL = (ROOT / "docs/OPERATIONS.md").read_text("utf-8")

PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
_NAME = re.compile(r"\b(?:hotline|process|python)_[a-z0-9_]+")
_MATCHER = re.compile(r'(\w+)(?:=|!=|=~|!~)"([^"]*)"')
_BALANCE = {"(": ")", "[": "]", "{": "}"}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    shown += [note["expr"] for note in DASHBOARD["annotations"]["list"] if "expr" in note]
    shown += [
        variable["definition"] for variable in DASHBOARD["templating"]["list"] if "definition" in variable
    ]
    return shown + [rule["expr"] for rule in ALERTS]


def test_every_metric_that_is_asked_for_exists():
    asked = {name for expression in expressions() for name in _NAME.findall(expression)}
    assert asked
    assert asked - PROCESS <= metrics.names()


def test_every_metric_is_shown_somewhere():
    asked = {name for expression in expressions() for name in _NAME.findall(expression)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in metrics.names()}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert families <= shown


def test_every_value_that_is_asked_for_can_occur():
    values = {
        "part": {"database", "redis", "bot", "knowledge"},
        "status": {"2xx", "3xx", "4xx", "5xx"},
        "result": {"accepted", "transient", "auth", "permanent", "bad_signature"},
        "state": {"in_use", "idle"},
        "service": {"app", "worker"},
        "surface": set(labels.SURFACES),
    }
    for expression in expressions():
        for label, value in _MATCHER.findall(expression):
            assert value.startswith("$") or value in values[label], expression


@pytest.mark.parametrize("expression", expressions())
def test_queries_are_whole(expression: str):
    open_ones: list[str] = []
    for letter in expression:
        if letter in _BALANCE:
            open_ones.append(_BALANCE[letter])
        elif letter in _BALANCE.values():
            assert open_ones.pop() == letter, expression
    assert not open_ones, expression


def test_the_dashboard_is_one_that_grafana_10_reads():
    assert DASHBOARD["id"] is None
    assert DASHBOARD["schemaVersion"] >= 38
    assert DASHBOARD["uid"] == "hotline-1022"
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells
    for panel in panels():
        assert panel["type"] in ("timeseries", "stat")
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"


def test_the_dashboard_has_what_people_look_for():
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    for wanted in ("Lưu lượng", "Thời gian", "Tồn đọng", "Lỗi", "Khẩn cấp", "Kênh"):
        assert wanted in rows


def test_every_alert_says_what_to_do():
    names = [rule["alert"] for rule in ALERTS]
    assert len(names) == len(set(names)) >= 15
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("critical", "warning")
        said = rule["annotations"]
        assert said["summary"]
        assert said["description"].rstrip().endswith(".")
        file, _, section = said["runbook"].partition("#")
        assert (ROOT / file).is_file()
        assert section == rule["alert"].lower()
        assert f"### {rule['alert']}\n" in MANUAL


def test_the_manual_explains_every_metric_setting_and_field():
    for name in metrics.names():
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert f"`{family}`" in MANUAL, family
    for setting in (
        "LOG_LEVEL", "LOG_FORMAT", "METRICS_TOKEN", "METRICS_NETWORKS", "WORKER_PORT", "OTEL_TRACES",
        "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SHARE",
    ):  # fmt: skip
        assert f"`{setting}`" in MANUAL, setting
    for field in (
        "timestamp",
        "level",
        "service",
        "correlation_id",
        "request_id",
        "message_id",
        "event",
        "ms",
    ):
        assert f"`{field}`" in MANUAL, field
    for reason in labels.BOT_REASONS | labels.SEND_REASONS:
        assert f"`{reason}`" in MANUAL, reason
