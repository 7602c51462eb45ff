"""A real Prometheus scrapes a real gateway with the configuration and the alerts of deploy/prometheus."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from support.nginx import free_port, replace_exactly
from support.process import API_KEY

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
# Two scrapes, a slow machine.
SECONDS = 30


def binary(name):
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    assert path, f"{name} is not installed: scripts/install-system-packages.sh test"
    return path


def get(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.headers, response.read().decode()


def publish(gateway, task_id, body):
    request = urllib.request.Request(f"{gateway.url}/api/v1/tasks/{task_id}/progress", json.dumps(body).encode())
    request.add_header("Authorization", f"Bearer {API_KEY}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 202


class Prometheus:
    def __init__(self, directory: Path, gateway_port):
        shutil.copy(DEPLOY / "alerts.yml", directory)
        text = (DEPLOY / "prometheus.yml").read_text()
        text = replace_exactly(text, "- 127.0.0.1:8765", f"- 127.0.0.1:{gateway_port}", 1)
        text = replace_exactly(text, "scrape_interval: 15s", "scrape_interval: 1s", 1)
        text = replace_exactly(text, "evaluation_interval: 15s", "evaluation_interval: 1s", 1)
        (directory / "prometheus.yml").write_text(text)
        self.port = free_port()
        self.log = (directory / "prometheus.log").open("w+")
        self.process = subprocess.Popen(
            [
                binary("prometheus"),
                f"--config.file={directory}/prometheus.yml",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stderr=self.log,
            stdout=self.log,
        )
        self.eventually(lambda: self._ready(), "Prometheus being ready")

    def _ready(self):
        assert self.process.poll() is None, f"prometheus ended: {self._log_text()}"
        with contextlib.suppress(OSError):
            return get(f"http://127.0.0.1:{self.port}/-/ready")
        return None

    def _log_text(self):
        self.log.seek(0)
        return self.log.read()

    def _api(self, path, **arguments):
        answer = json.loads(get(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}")[1])
        assert answer["status"] == "success"
        return answer["data"]

    def value(self, query):
        """The value of a query that yields one series; None while it yields none."""
        result = self._api("query", query=query)["result"]
        assert len(result) <= 1, f"{query} yields {len(result)} series"
        return float(result[0]["value"][1]) if result else None

    def targets(self):
        return self._api("targets", state="active")["activeTargets"]

    def rules(self):
        return [rule for group in self._api("rules")["groups"] for rule in group["rules"]]

    def eventually(self, condition, what):
        deadline = time.monotonic() + SECONDS
        while True:
            result = condition()
            if result:
                return result
            assert time.monotonic() < deadline, f"not within {SECONDS} s: {what}; {self._log_text()[-2000:]}"
            time.sleep(0.2)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@pytest.fixture
def gateway(start_own):
    return start_own("--store", "memory")


@pytest.fixture
def prometheus(gateway, tmp_path):
    server = Prometheus(tmp_path, gateway.port)
    yield server
    server.stop()


def families(exposition):
    """The metric families of a text exposition: name → type."""
    return dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", exposition))


def test_prometheus_sees_the_connections_come_and_go(gateway, prometheus):
    prometheus.eventually(lambda: prometheus.value("up") == 1.0, "a successful scrape")
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(connect(f"{gateway.websocket_url}/ws"))
        prometheus.eventually(lambda: prometheus.value("sum(signalbox_connections)") == 3.0, "three connections")
    prometheus.eventually(lambda: prometheus.value("sum(signalbox_connections)") == 0.0, "no connections")
    assert prometheus.value("sum(signalbox_connections_opened_total)") == 3.0
    assert prometheus.value("sum(signalbox_connections_closed_total)") == 3.0
    assert prometheus.value("sum(signalbox_connections_limit)") > 0


def test_prometheus_counts_what_is_published_and_delivered(gateway, prometheus):
    with connect(f"{gateway.websocket_url}/ws") as watcher:
        watcher.send(json.dumps({"action": "subscribe", "task_id": "counted", "wait": True}))
        assert json.loads(watcher.recv(timeout=10))["type"] == "subscription_confirmed"
        for percent in range(1, 6):
            publish(gateway, "counted", {"progress": percent})
        for _ in range(5):
            assert json.loads(watcher.recv(timeout=10))["type"] == "progress"
        prometheus.eventually(
            lambda: prometheus.value("sum(signalbox_publish_requests_total)") == 5.0, "five publish requests"
        )
        assert prometheus.value("sum(signalbox_messages_sent_total)") >= 6.0
        assert prometheus.value("sum(signalbox_messages_received_total)") >= 1.0


def test_clients_beyond_the_limit_are_counted_where_the_alert_looks(start_own):
    gateway = start_own("--store", "memory", "--max-connections", "1")
    with connect(f"{gateway.websocket_url}/ws"):
        for _ in range(3):
            with connect(f"{gateway.websocket_url}/ws") as refused, pytest.raises(ConnectionClosed):
                refused.recv(timeout=10)
        exposition = get(f"{gateway.url}/metrics")[1]
    assert 'signalbox_handshakes_rejected_total{reason="capacity"} 3' in exposition.splitlines()
    assert "signalbox_connections_limit 1" in exposition.splitlines()


def test_prometheus_accepts_the_scrape_whole(prometheus):
    prometheus.eventually(lambda: prometheus.value("up") == 1.0, "a successful scrape")
    (target,) = prometheus.targets()
    assert (target["health"], target["lastError"]) == ("up", "")
    assert prometheus.value("scrape_samples_scraped") == prometheus.value("scrape_samples_post_metric_relabeling")


def test_the_alerts_load_and_are_quiet_beside_a_healthy_gateway(prometheus):
    prometheus.eventually(lambda: prometheus.value("up") == 1.0, "a successful scrape")
    rules = prometheus.eventually(
        lambda: [rule for rule in prometheus.rules() if rule["health"] == "ok"] and prometheus.rules(), "evaluated rules"
    )
    assert {(rule["name"], rule["health"], rule["state"]) for rule in rules} == {
        (rule["name"], "ok", "inactive") for rule in rules
    }


def test_promtool_finds_no_fault_in_the_metrics(gateway):
    with connect(f"{gateway.websocket_url}/ws"):
        headers, exposition = get(f"{gateway.url}/metrics")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    checked = subprocess.run(
        [binary("promtool"), "check", "metrics"], input=exposition, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_every_metric_is_named_by_the_projects_rules(gateway):
    found = families(get(f"{gateway.url}/metrics")[1])
    assert found
    for name, kind in found.items():
        assert name.startswith(("signalbox_", "process_")), name
        assert (kind == "counter") == name.endswith("_total"), f"{name} is a {kind}"


def named_metrics(text):
    """Metrics with their matchers, as queries write them: (name, label, value), label and value None without any."""
    for name, matchers in re.findall(r"\b((?:signalbox|process)_[a-z_]+)(?:\{([^}]*)\})?", text):
        yield name, None, None
        for label, values in re.findall(r'([a-z]+)=~?"([^"]*)"', matchers):
            for value in values.split("|"):
                yield name, label, value


@pytest.mark.parametrize("path", ["deploy/prometheus/alerts.yml", "docs/operations.md"])
def test_every_metric_and_label_in_alerts_and_documentation_exists(gateway, path):
    exposition = get(f"{gateway.url}/metrics")[1]
    text = re.sub(r"(?m)^\s*#.*$", "", (DEPLOY.parents[1] / path).read_text())
    named = set(named_metrics(text))
    assert len(named) > 5
    for name, label, value in named:
        samples = re.findall(rf"(?m)^{name}(?:\{{(.*)\}})? \S+$", exposition)
        assert samples, f"{path} names {name}, which does not exist"
        if label not in (None, "job"):
            assert any(f'{label}="{value}"' in sample for sample in samples), f'{name} never has {label}="{value}"'
    # `sum by (label) (rate(metric[…]))` needs the label, too.
    for labels, name in re.findall(r"sum by \(([a-z, ]+)\) \((?:rate\()?(signalbox_[a-z_]+)", text):
        for label in set(labels.split(", ")) - {"instance"}:
            assert re.search(rf'(?m)^{name}\{{.*{label}="', exposition), f"{name} has no label {label}"


@pytest.mark.parametrize("arguments", [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml")])
def test_promtool_finds_no_fault_in_what_the_project_ships(arguments):
    checked = subprocess.run(
        [binary("promtool"), *arguments], cwd=DEPLOY, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
