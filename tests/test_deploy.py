"""The files of ``deploy/`` fit the service; a real Prometheus, where there is one, takes them."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.conftest import ROOT
from tests.live import until
from tests.load import Load
from tests.process import free_port, running

DEPLOY = ROOT / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
TESTS = ("alerts_test.yml", "alerts_week_test.yml")
needs_prometheus = pytest.mark.skipif(
    not ((shutil.which("prometheus") and shutil.which("promtool")) or os.environ.get("TESTS_REQUIRE_PROMETHEUS")),
    reason="no Prometheus (apt-get install prometheus)",
)


def expressions() -> list[str]:
    """The dashboard's queries, with Grafana's variables filled in."""
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [text.replace("$__rate_interval", "5m").replace("$instance", ".*") for text in found]


def test_every_metric_that_is_named_exists(client: TestClient, tusk: bytes) -> None:
    client.post("/v1/detect", content=tusk)
    text = client.get("/metrics").text
    exposed = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    for name in re.findall(r"^# TYPE (\w+) histogram", text, re.MULTILINE):
        exposed |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
    rules = (DEPLOY / "alerts.yml").read_text()
    queries = "\n".join([*expressions(), *re.findall(r"expr:(.*?)(?:for|labels):", rules, re.DOTALL)])
    named = set(re.findall(r"\bfaunalens_\w+", queries))
    assert len(named) >= 14
    assert named - exposed == set()


def test_the_documented_metrics_are_those_that_there_are(client: TestClient, tusk: bytes) -> None:
    client.post("/v1/detect?policy=sensitive", content=tusk)
    text = client.get("/metrics").text
    # the client library adds the time at which a counter began
    kinds = {k: v for k, v in re.findall(r"^# TYPE (faunalens_\w+) (\w+)", text, re.M) if not k.endswith("_created")}
    section = (ROOT / "docs" / "api.md").read_text().split("## GET /metrics\n")[1].split("\n## ")[0]
    table = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", section, re.M)
    assert {name: kind for name, kind, _ in table} == kinds
    for name, kind, labels in table:
        sample = name + "_count" * (kind == "histogram")
        for found in re.findall(rf"^{sample}(?:{{(.*)}})? ", text, re.M):
            assert re.findall(r'(\w+)="', found) == re.findall(r"`(\w+)`", labels), name


def test_what_was_promised_of_a_picture_is_measured(client: TestClient, tusk: bytes) -> None:
    client.post("/v1/detect?policy=sensitive", content=tusk)
    text = client.get("/metrics").text
    for sample in (
        'faunalens_requests_total{method="POST",route="/v1/detect",status="200"}',
        *(f'faunalens_stage_seconds_count{{stage="{stage}"}}' for stage in ("wait", "decode", "infer", "total")),
        'faunalens_findings_total{category="ivory"}',
    ):
        found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.M)
        assert found and float(found[1]) >= 1, sample
    assert re.search(r"^faunalens_queue 0.0$", text, re.M)
    assert sum(map(float, re.findall(r"^faunalens_verdicts_total{.*} (\S+)$", text, re.M))) >= 1


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@needs_prometheus
def test_rules_are_valid_and_fire_when_they_should() -> None:
    subprocess.run(["promtool", "check", "rules", "alerts.yml"], cwd=DEPLOY, check=True, capture_output=True)
    done = subprocess.run(
        ["promtool", "test", "rules", *TESTS], cwd=DEPLOY, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    alerts = set(re.findall(r"alert: (\w+)", (DEPLOY / "alerts.yml").read_text()))
    assert alerts == set(re.findall(r"alertname: (\w+)", "".join((DEPLOY / name).read_text() for name in TESTS)))


@pytest.fixture
def prometheus(tmp_path: Path, tusk: bytes) -> Iterator[str]:
    """A real Prometheus with ``deploy/prometheus.yml``, scraping a real service under some load."""
    own = free_port()
    (tmp_path / "faunalens.key").write_text("not-checked-here")
    shutil.copy(DEPLOY / "alerts.yml", tmp_path)
    command = ["prometheus", "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{own}"]
    batches = {"FAUNALENS_BATCHES": "on", "FAUNALENS_STORE": str(tmp_path / "store")}
    with running(**batches) as (service, _), Load(service, tusk, clients=1), (tmp_path / "log").open("w") as log:
        config = (DEPLOY / "prometheus.yml").read_text().replace("15s", "1s")
        (tmp_path / "prometheus.yml").write_text(config.replace("127.0.0.1:8000", f"127.0.0.1:{service}"))
        server = subprocess.Popen([*command, "--storage.tsdb.path=data"], cwd=tmp_path, stdout=log, stderr=log)
        try:
            until_answered(f"http://127.0.0.1:{own}", "count_over_time(faunalens_picture_seconds[5m]) >= 3")
            yield f"http://127.0.0.1:{own}"
        finally:
            server.terminate()
            server.wait(60)


def until_answered(address: str, expression: str) -> None:
    """A scrape has a second here; one that takes longer on a busy machine fails, and all is stale until the next."""

    def answered() -> bool:
        time.sleep(0.1)
        with contextlib.suppress(OSError):
            return bool(query(address, expression))
        return False

    until(answered)


def query(address: str, expression: str) -> list[Any]:
    with urllib.request.urlopen(f"{address}/api/v1/query?{urllib.parse.urlencode({'query': expression})}") as response:
        answer = json.load(response)
    assert answer["status"] == "success"
    result: list[Any] = answer["data"]["result"]
    return result


@needs_prometheus
def test_a_real_prometheus_scrapes_and_answers_every_query(prometheus: str) -> None:
    assert len(query(prometheus, 'count_over_time(up{job="faunalens"}[5m])')) == 1
    until_answered(prometheus, 'up{job="faunalens"} == 1')
    # nothing was found or refused, and there is no shadow model
    quiet = ("findings", "failures", "shadow")
    for text in expressions():
        if not any(word in text for word in quiet):
            until_answered(prometheus, text)
    with urllib.request.urlopen(f"{prometheus}/api/v1/rules") as response:
        rules = [rule for group in json.load(response)["data"]["groups"] for rule in group["rules"]]
    assert len(rules) == 15 and {rule["health"] for rule in rules} <= {"ok", "unknown"}
    assert not [rule["name"] for rule in rules if rule["state"] == "firing"]
