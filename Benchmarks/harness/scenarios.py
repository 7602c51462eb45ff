"""The rows of the table: what is run, what it is compared with, what is aimed at."""

from __future__ import annotations

import dataclasses

CEILINGS = ("ceiling", "ceiling-batch")


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    # The load generator's --scenario.
    kind: str
    full: dict[str, int | float]
    # What differs in a quick run.
    quick: dict[str, int | float]
    # The figure that is reported: a path of keys in the load generator's answer.
    figure: tuple[str, ...] = ("cpu_us_per_operation",)
    unit: str = "CPU µs"
    # The server whose figure is 1; None where there is nothing comparable.
    reference: str | None = "ceiling"
    # At most this ratio to the reference, or where there is none this figure.
    aim: float | None = None
    servers: tuple[str, ...] = ("ceiling", "signalbox")

    def arguments(self, is_quick: bool) -> list[str]:
        chosen = self.full | (self.quick if is_quick else {})
        return ["--scenario", self.kind, *(text for key, value in chosen.items() for text in (f"--{key}", str(value)))]


SCENARIOS = (
    Scenario(
        "closed-1000", "closed loop, 1,000 subscribers", "closed",
        {"clients": 1000, "operations": 400, "warm-up": 20}, {"operations": 80}, aim=1.05),
    Scenario(
        "closed-10000", "closed loop, 10,000 subscribers", "closed",
        {"clients": 10000, "operations": 40, "warm-up": 3}, {"operations": 8, "warm-up": 2}, aim=1.08),
    Scenario(
        "paced", "30 publishes/s, 1,000 subscribers", "paced",
        {"clients": 1000, "operations": 240, "warm-up": 15, "rate": 30}, {"operations": 40, "warm-up": 5}, aim=1.10),
    Scenario(
        "stream", "batches of 64, 1,000 subscribers", "stream",
        {"clients": 1000, "operations": 12800, "warm-up": 640, "under-way": 64}, {"operations": 3200}, aim=1.3,
        reference="ceiling-batch", servers=("ceiling-batch", "signalbox")),
    Scenario(
        "topics", "10,000 clients of 1,000 tasks, batches of 4,096", "topics",
        {"clients": 10000, "topics": 1000, "operations": 40960, "warm-up": 8192, "under-way": 4096},
        {"operations": 8192, "warm-up": 4096}, aim=1.05, reference="ceiling-batch",
        servers=("ceiling-batch", "signalbox")),
    Scenario(
        "echo", "echo, 200 clients, one message under way each", "echo",
        {"clients": 200, "operations": 500, "warm-up": 20, "under-way": 1}, {"operations": 100}, aim=1.10),
    Scenario(
        "echo-pipelined", "echo, 200 clients, 16 messages under way each", "echo",
        {"clients": 200, "operations": 200, "warm-up": 10, "under-way": 16}, {"operations": 40}, aim=1.5),
    Scenario(
        "handshake", "opening handshake", "handshake",
        {"clients": 10000, "warm-up": 500}, {"clients": 3000}, aim=1.20),
    Scenario(
        "idle", "idle connection with one subscription, 1,000 tasks", "idle",
        {"clients": 15000, "topics": 1000, "operations": 3000}, {"clients": 8000, "operations": 500},
        figure=("bytes_per_connection",), unit="bytes RSS", reference=None, aim=400),
    Scenario(
        "latency", "p99 publish to receipt, 60 publishes/s, 1,000 subscribers", "paced",
        {"clients": 1000, "operations": 480, "warm-up": 30, "rate": 60}, {"operations": 90, "warm-up": 10},
        figure=("latency_us", "p99"), unit="µs", aim=1.5),
    Scenario(
        "http-publish", "HTTP publish without subscribers", "http-publish",
        {"clients": 32, "topics": 100, "operations": 100000, "warm-up": 2000}, {"operations": 20000},
        reference=None, aim=20.0, servers=("signalbox",)),
    Scenario(
        "ndjson-publish", "NDJSON line without subscribers", "ndjson-publish",
        {"clients": 4, "topics": 100, "operations": 600000, "warm-up": 10000}, {"operations": 100000},
        reference=None, aim=1e6 / 300000, servers=("signalbox",)),
    Scenario(
        "loops", "closed loop, 1,000 subscribers, two loops to one", "closed",
        {"clients": 1000, "operations": 400, "warm-up": 20}, {"operations": 80}, aim=1.05,
        reference="signalbox", servers=("signalbox", "signalbox-2")),
)


def figure(scenario: Scenario, result: dict) -> float:
    value = result
    for key in scenario.figure:
        value = value[key]
    return float(value)
