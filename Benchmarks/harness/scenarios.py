"""The rows of the table: what is run, what it is compared with, what is aimed at."""

from __future__ import annotations

import dataclasses
import os

from .servers import SERVERS, Server

CEILINGS = ("ceiling", "ceiling-batch", "ceiling-uring", "ceiling-batch-uring", "ceiling-deflate")
OURS = ("signalbox", "signalbox-2")
# In the order of the table's columns.
PEERS = ("uwebsockets", "uwebsockets-epoll", "nchan", "libwebsockets", "swift-nio", "picows", "websockets", "fastapi")


@dataclasses.dataclass(frozen=True)
class Detail:
    """One more figure of a row, for the report: where it stands in the load generator's answer, and by what to divide."""

    title: str
    path: tuple[str, ...]
    divisor: float = 1


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
    # At most this ratio to the reference, or where there is none this figure; it is the last server's to reach.
    aim: float | None = None
    servers: tuple[str, ...] = ("ceiling", "signalbox")
    # Run besides where they are installed, not in a quick run.
    peers: tuple[str, ...] = ()
    # What differs for peers, of which some take a hundred times as long.
    for_peers: dict[str, int | float] = dataclasses.field(default_factory=dict)
    # Servers that are spoken to in another way, and what they are started with besides.
    targets: dict[str, str] = dataclasses.field(default_factory=dict)
    options: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    # The cores of the server and of the load generator where they differ from the usual ones.
    cores: tuple[str, str] | None = None
    details: tuple[Detail, ...] = ()
    # Of a quick run; less where a run takes long for what it is about.
    quick_repetitions: int = 3

    def arguments(self, is_quick: bool, is_peer: bool = False) -> list[str]:
        chosen = self.full | (self.quick if is_quick else {}) | (self.for_peers if is_peer else {})
        # A load generator that sleeps is woken by the server at the server's cost; one without a core for itself must.
        chosen["wait"] = "sleep" if self.cores or (os.cpu_count() or 1) < 2 else "spin"
        return ["--scenario", self.kind, *(text for key, value in chosen.items() for text in (f"--{key}", str(value)))]

    def server(self, name: str) -> Server:
        """The server as this row runs it."""
        server = SERVERS[name]
        return dataclasses.replace(
            server, target=self.targets.get(name, server.target), command=(*server.command, *self.options.get(name, ())),
            cores=self.cores[0] if self.cores else server.cores)

    @property
    def load_cores(self) -> str:
        return self.cores[1] if self.cores else "1"

    def all_servers(self) -> list[str]:
        """In the order of the table: ceilings, peers, and last who is to reach the aim."""
        return [*self.servers[:-1], *self.peers, self.servers[-1]]


def without(*names: str) -> tuple[str, ...]:
    return tuple(peer for peer in PEERS if peer not in names)


P99 = (Detail("p50 µs", ("latency_us", "p50")), Detail("p99 µs", ("latency_us", "p99")))
KERNEL = (
    Detail("kernel slab, both ends, bytes", ("kernel_slab_bytes_per_connection",)),
    Detail("TCP data, both ends, bytes", ("kernel_tcp_bytes_per_connection",)),
    Detail("CPU ‰ while idle", ("idle_cpu_permille",)),
)
SLOW = (
    Detail("p99 alone, ms", ("latency_alone_us", "p99"), 1000),
    Detail("p99 beside slow ones, ms", ("latency_us", "p99"), 1000),
    Detail("RSS growth, MB", ("resident_growth_bytes",), 1e6),
    Detail("RSS for each slow one, bytes", ("resident_bytes_per_slow_reader",)),
    Detail("caught up", ("slow_readers_that_caught_up",)),
    Detail("closed with 1013", ("slow_readers_closed_with_1013",)),
    Detail("closed without a code", ("slow_readers_closed_without_a_code",)),
    Detail("messages they got", ("messages_to_slow_readers",)),
    Detail("messages said to be skipped", ("messages_skipped",)),
)
SPARE = (
    Detail("ping p50 ms", ("ping_during_us", "p50"), 1000),
    Detail("ping p99 ms", ("ping_during_us", "p99"), 1000),
    Detail("ping max ms", ("ping_during_us", "max"), 1000),
    Detail("other task p50 ms", ("other_topic_during_us", "p50"), 1000),
    Detail("other task p99 ms", ("other_topic_during_us", "p99"), 1000),
    Detail("other task max ms", ("other_topic_during_us", "max"), 1000),
    Detail("ping p99 in between, ms", ("ping_quiet_us", "p99"), 1000),
    Detail("slowest delivery of the fan-out, ms", ("latency_us", "max"), 1000),
    Detail("sent late, p99 ms", ("sent_late_us", "p99"), 1000),
)

SCENARIOS = (
    Scenario(
        "closed-1000", "closed loop, 1,000 subscribers", "closed",
        {"clients": 1000, "operations": 400, "warm-up": 20}, {"operations": 80}, aim=1.05, peers=PEERS,
        for_peers={"operations": 100}, servers=("ceiling", "ceiling-uring", "signalbox")),
    Scenario(
        "closed-10000", "closed loop, 10,000 subscribers", "closed",
        {"clients": 10000, "operations": 40, "warm-up": 3}, {"operations": 8, "warm-up": 2}, aim=1.08,
        peers=PEERS, for_peers={"operations": 15}),
    Scenario(
        "paced", "30 publishes/s, 1,000 subscribers", "paced",
        {"clients": 1000, "operations": 240, "warm-up": 15, "rate": 30, "under-way": 256}, {"operations": 40, "warm-up": 5}, aim=1.10,
        peers=PEERS, for_peers={"operations": 90}),
    Scenario(
        "stream", "batches of 64, 1,000 subscribers", "stream",
        {"clients": 1000, "operations": 12800, "warm-up": 640, "under-way": 64}, {"operations": 3200}, aim=1.3,
        reference="ceiling-batch", servers=("ceiling-batch", "signalbox"), peers=PEERS,
        for_peers={"operations": 640, "warm-up": 64}),
    Scenario(
        "topics", "10,000 clients of 1,000 tasks, batches of 4,096", "topics",
        {"clients": 10000, "topics": 1000, "operations": 40960, "warm-up": 8192, "under-way": 4096},
        {"operations": 8192, "warm-up": 4096}, aim=1.05, reference="ceiling-batch",
        servers=("ceiling-batch", "ceiling-batch-uring", "signalbox"), peers=PEERS,
        for_peers={"operations": 8192, "warm-up": 4096}),
    Scenario(
        "echo", "echo, 200 clients, one message under way each", "echo",
        {"clients": 200, "operations": 500, "warm-up": 20, "under-way": 1}, {"operations": 100}, aim=1.10,
        peers=without("nchan"), for_peers={"operations": 200}),
    Scenario(
        "echo-pipelined", "echo, 200 clients, 16 messages under way each", "echo",
        {"clients": 200, "operations": 200, "warm-up": 10, "under-way": 16}, {"operations": 40}, aim=1.5,
        peers=without("nchan"), for_peers={"operations": 25}),
    Scenario(
        "handshake", "opening handshake", "handshake",
        {"clients": 10000, "warm-up": 500, "under-way": 128}, {"clients": 3000}, aim=1.20, peers=PEERS,
        for_peers={"clients": 4000}),
    Scenario(
        "connect-storm", "opening handshake, 2,048 under way at once", "handshake",
        {"clients": 16000, "warm-up": 2000, "under-way": 2048}, {"clients": 6000}, aim=1.20, details=P99, quick_repetitions=1),
    Scenario(
        "idle", "idle connection with one subscription, 1,000 tasks", "idle",
        {"clients": 15000, "topics": 1000, "operations": 3000}, {"clients": 8000, "operations": 500},
        figure=("bytes_per_connection",), unit="bytes RSS", reference=None, aim=400, peers=PEERS,
        for_peers={"clients": 8000, "operations": 500}, details=KERNEL),
    Scenario(
        "deflate", "2 KB with permessage-deflate, 1,000 subscribers; the ceiling sends them plain", "deflate",
        {"clients": 1000, "operations": 300, "warm-up": 20, "bytes": 2048}, {"operations": 60}, aim=1.3,
        servers=("ceiling", "ceiling-deflate", "signalbox"),
        peers=("uwebsockets-deflate", "uwebsockets-epoll-deflate", "nchan-deflate", "libwebsockets-deflate",
               "websockets-deflate", "fastapi"),
        for_peers={"operations": 60}, details=(Detail("bytes for each delivery", ("bytes_per_delivery",)),)),
    Scenario(
        "latency", "p99 publish to receipt, 60 publishes/s, 1,000 subscribers", "paced",
        {"clients": 1000, "operations": 480, "warm-up": 30, "rate": 60, "under-way": 256}, {"operations": 90, "warm-up": 10},
        figure=("latency_us", "p99"), unit="µs", aim=1.5, peers=("uwebsockets", "uwebsockets-epoll"),
        for_peers={"operations": 180}),
    Scenario(
        "resume-storm", "10,000 clients of 100 tasks come back at once for 20 missed messages each", "resume",
        {"clients": 10000, "topics": 100, "operations": 2, "warm-up": 3, "missed": 20, "under-way": 2048},
        {"clients": 4000, "operations": 1}, options={"ceiling": ("--history",)}, details=P99,
        quick_repetitions=1),
    Scenario(
        "slow-readers", "p99 of 1,000 readers beside 1,000 that never read, 2 KB of progress, to the same alone", "slow",
        {"clients": 1000, "slow": 1000, "bytes": 2048, "fill": 400, "operations": 240, "rate": 40, "warm-up": 10,
         "under-way": 256},
        {"operations": 60}, figure=("p99_ratio",), unit="×", reference=None, aim=1.5, servers=("signalbox",), details=SLOW,
        quick_repetitions=1),
    Scenario(
        "slow-readers-channel", "the same with a channel's messages, which as control messages may not be left out", "slow",
        {"clients": 1000, "slow": 1000, "bytes": 2048, "fill": 400, "operations": 240, "rate": 40, "warm-up": 10,
         "under-way": 256},
        {"operations": 160, "rate": 60}, figure=("p99_ratio",), unit="×", reference=None, aim=1.5, servers=("signalbox",),
        targets={"signalbox": "signalbox-channel"}, details=SLOW, quick_repetitions=1),
    Scenario(
        "spare-loop", "ping on the loop that fans out to 18,500, p99", "spare",
        {"clients": 18500, "operations": 12, "rate": 2, "warm-up": 2}, {"operations": 4},
        figure=("ping_during_us", "p99"), unit="µs", reference=None, aim=5000, details=SPARE, quick_repetitions=1),
    Scenario(
        "http-publish", "HTTP publish without subscribers", "http-publish",
        {"clients": 32, "topics": 100, "operations": 100000, "warm-up": 2000}, {"operations": 20000},
        reference=None, aim=20.0, servers=("signalbox",), peers=("nchan",)),
    Scenario(
        "ndjson-publish", "NDJSON line without subscribers", "ndjson-publish",
        {"clients": 4, "topics": 100, "operations": 600000, "warm-up": 10000}, {"operations": 100000},
        reference=None, aim=1e6 / 300000, servers=("signalbox",)),
    # Both on both cores, and the load generator too: the one loop is to have it as the two have it.
    Scenario(
        "loops", "closed loop, 1,000 subscribers, two loops to one, both on both cores", "closed",
        {"clients": 1000, "operations": 400, "warm-up": 20}, {"operations": 80}, aim=1.05,
        reference="signalbox", servers=("signalbox", "signalbox-2"), cores=("0,1", "0,1")),
)


def figure(scenario: Scenario, result: dict) -> float:
    return float(value_at(scenario.figure, result))


def value_at(path: tuple[str, ...], result: dict) -> float | None:
    """None where the answer has no such figure: a latency that nothing was measured for, say."""
    value: object = result
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value  # type: ignore[return-value]
