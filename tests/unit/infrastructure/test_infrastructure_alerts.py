"""The alert rules speak of metrics that exist, where they are exported, and say what to do."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from infrastructure.manifest import read_manifest
from shared import metrics

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "infrastructure/prometheus/alerts.yaml"
SELECTOR = re.compile(r"(millrace_[a-z_]+|\bup)(\{[^}]*\})?(\[\w+\])?")
MATCHER = re.compile(r'([a-z_]+)(?:=|!=|=~|!~)"[^"]*"')
WORDS = {
    *("by", "and", "or", "unless", "on", "offset"),
    *("max", "min", "sum", "rate", "increase", "time"),
}
# Who sets a metric; everybody exports all of them.
EXPORTERS = {
    "millrace_edge_": "edge",
    "millrace_spool_share_": "edge",
    "millrace_spool_": "drain",
    "millrace_drain": "drain",
    "millrace_journal_": "drain",
    "millrace_writer_": "writer",
    "millrace_ledger_": "writer",
    "millrace_rollup_": "writer",
    "millrace_archive_": "jobs",
    "millrace_jobs": "jobs",
}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(FILE.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def declared() -> dict[str, tuple[str, set[str]]]:
    """By the name that a query uses: the metric's type and its labels."""
    found = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            [family] = metric.describe()
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = {"exported_job" if one == "job" else one for one in metric._labelnames}
            found[name] = (family.type, labels)
    return found


def selectors(expression: str) -> Iterator[tuple[str, str, str]]:
    for found in SELECTOR.finditer(expression):
        if found[1] != "up":
            yield found[1], found[2] or "", found[3] or ""


def named(rule: dict[str, Any]) -> str:
    return str(rule["alert"])


@pytest.mark.parametrize("rule", rules(), ids=named)
def test_a_rule_asks_for_metrics_that_are_there_with_labels_that_they_have(
    rule: dict[str, Any],
) -> None:
    known, services = declared(), {service.name for service in read_manifest().services}
    used: set[str] = set()
    for name, matchers, over in selectors(rule["expr"]):
        assert name in known, name
        kind, labels = known[name]
        used |= labels
        assert (kind == "counter") == (bool(over) or "unless" in rule["expr"]), name
        first = next(prefix for prefix in EXPORTERS if name.startswith(prefix))
        assert EXPORTERS[first] in services
        if " offset " not in rule["expr"]:
            assert f'job="millrace-{EXPORTERS[first]}"' in matchers, name
        assert set(MATCHER.findall(matchers)) <= {*labels, "job"}
    told = " ".join(rule["annotations"].values())
    for grouped in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"]):
        assert set(grouped.split(", ")) <= {*used, "instance"}
    assert set(re.findall(r"\$labels\.(\w+)", told)) <= {*used, "instance", "job"}


@pytest.mark.parametrize("rule", rules(), ids=named)
def test_a_rule_can_be_read(rule: dict[str, Any]) -> None:
    expression = rule["expr"]
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)
    bare = re.sub(r"\b(?:by|on) \([^)]*\)", "by", SELECTOR.sub("1", expression))
    assert set(re.findall(r"[a-z_]{2,}", bare)) <= WORDS, bare
    assert re.search(r"(==|<|>) \d+$", expression), "a rule compares with a number"
    assert re.fullmatch(r"\d+[sm]", rule.get("for", "1m"))


@pytest.mark.parametrize("rule", rules(), ids=named)
def test_a_rule_says_what_to_do_and_where_that_is_written(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    path, _, anchor = rule["annotations"]["runbook"].partition("#")
    lines = (ROOT / path).read_text().splitlines()
    titles = [line.lstrip("# ").lower().replace(" ", "-") for line in lines if line[:1] == "#"]
    assert not anchor or anchor in titles


def test_no_two_rules_have_one_name() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))


def test_prometheus_itself_can_read_them() -> None:
    if (promtool := shutil.which("promtool")) is not None:
        subprocess.run([promtool, "check", "rules", FILE], check=True, timeout=60)
