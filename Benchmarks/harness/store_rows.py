"""The rows of the store's table: what is run, its figure, its aim."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable

from . import stored_tasks
from .gateway import MEMORY, Gateway
from .scenarios import SCENARIOS, value_at
from .servers import BUILT, pinned

LOAD_SECONDS_MAX = 300
# Until what is written behind is on the disk: longer than a tick and its commit.
SETTLE_SECONDS = 1.5
STORE, CLEAN, KILLED = "store", "clean", "killed"
TASKS_AT_START = 100_000


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    title: str
    unit: str
    figure: tuple[str, ...]
    variants: tuple[str, ...]
    # A variant, a folder of the run's own, whether it is a short run.
    run: Callable[[str, pathlib.Path, bool], dict]
    # At most this figure of the first variant, or with a reference its ratio to that variant's.
    aim: float | None = None
    reference: str | None = None
    # More figures: title, where they stand, by what to divide.
    details: tuple[tuple[str, tuple[str, ...], float], ...] = ()


def database(place: pathlib.Path) -> str:
    return f"sqlite:{pathlib.Path(tempfile.mkdtemp(dir=place)) / 'store.db'}"


def store_of(variant: str, place: pathlib.Path) -> str:
    return MEMORY if variant == MEMORY else database(place)


def load(gateway: Gateway, scenario: str, **options: object) -> dict:
    target = options.pop("target", "signalbox")
    command = load_command(gateway, scenario, target, options)
    answer = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX)
    if answer.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{answer.stderr}\n{gateway.output()}")
    return json.loads(answer.stdout)


def load_command(gateway: Gateway, scenario: str, target: object, options: dict[str, object]) -> list[str]:
    wait = "spin" if (os.cpu_count() or 1) > 1 else "sleep"
    return [
        *pinned("1"), str(BUILT / "load"), "--scenario", scenario, "--target", str(target), "--port", str(gateway.port),
        "--server", str(gateway.process.pid), "--wait", wait,
        *(text for key, value in options.items() for text in (f"--{key}", str(value))),
    ]


# MARK: what is run


def ends(kind: str, variant: str, place: pathlib.Path, is_quick: bool, *, full: int, quick: int, **options: object) -> dict:
    """Tasks that have reported once are ended, each by an operation that is durable before it is answered."""
    count = quick if is_quick else full
    warm_up = count // 10
    with Gateway(store_of(variant, place)) as gateway:
        load(gateway, "ndjson-publish", clients=4, topics=count + warm_up, operations=count + warm_up - 1, lines=500, **{"warm-up": 1})
        time.sleep(SETTLE_SECONDS)
        return load(gateway, kind, target="signalbox-ends", topics=count + warm_up, operations=count,
                    **options, **{"warm-up": warm_up})


def reports(kind: str, variant: str, place: pathlib.Path, is_quick: bool, *, full: int, quick: int, **options: object) -> dict:
    """A thousand tasks report without anybody watching, for seconds."""
    count = quick if is_quick else full
    with Gateway(store_of(variant, place)) as gateway:
        return load(gateway, kind, topics=1000, operations=count, **options, **{"warm-up": count // 20})


@functools.cache
def image(place: pathlib.Path, kind: str, count: int) -> pathlib.Path:
    """A store of many tasks, made once; each start gets a copy."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"image-{kind}-", dir=place))
    stored_tasks.build(folder / "store.db", count, is_killed=kind == KILLED)
    return folder


def start(threads: int, variant: str, place: pathlib.Path, is_quick: bool) -> dict:
    """From the start of the process to the line that says where it listens, everything read."""
    original = image(place, variant, TASKS_AT_START)
    folder = pathlib.Path(tempfile.mkdtemp(dir=place))
    for path in original.iterdir():
        shutil.copy(path, folder)
    cores = "0" if threads == 1 else f"0-{(os.cpu_count() or 1) - 1}"
    with Gateway(f"sqlite:{folder / 'store.db'}", threads=threads, cores=cores) as gateway:
        stored_tasks.require(gateway, TASKS_AT_START)
        result = {
            "seconds": gateway.start_seconds, "cpu_seconds": gateway.start_cpu_seconds, "resident_bytes": gateway.resident_bytes(),
            "stored_bytes": sum(path.stat().st_size for path in original.iterdir()),
        }
    shutil.rmtree(folder)
    return result


def resume(variant: str, place: pathlib.Path, is_quick: bool) -> dict:
    """All clients miss messages, the gateway stops in order and is started on the same file, and all come back at once."""
    store = database(place)
    gateway = Gateway(store)
    options: dict[str, object] = {
        "clients": 10_000, "topics": 100, "operations": 1 if is_quick else 3, "warm-up": 3, "missed": 20, "under-way": 2048}
    command = load_command(gateway, "restart", "signalbox", options)
    starts: list[float] = []
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for line in client.stdout:
            if line.strip() != "restart":
                result = json.loads(line)
                break
            gateway.stop()
            gateway = Gateway(store, port=gateway.port)
            starts.append(gateway.start_seconds)
            client.stdin.write(f"{gateway.process.pid}\n")
            client.stdin.flush()
        else:
            raise SystemExit(f"{' '.join(command)}\n{client.stderr.read()}\n{gateway.output()}")
        return {**result, "start_seconds": max(starts)}
    finally:
        client.kill()
        client.wait()
        gateway.kill()


def slow(name: str, variant: str, place: pathlib.Path, is_quick: bool) -> dict:
    """The row of the same name in run.py, with the store."""
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
    options = scenario.full | (scenario.quick if is_quick else {})
    with Gateway(store_of(variant, place)) as gateway:
        return load(gateway, scenario.kind, target=scenario.targets.get("signalbox", "signalbox"), **options)


# MARK: the rows

CPU = ("cpu_us_per_operation",)
RATE = ("a second", ("operations_per_second",), 1)
START = (("CPU s", ("cpu_seconds",), 1), ("RSS MB", ("resident_bytes",), 1e6), ("stored MB", ("stored_bytes",), 1e6))
SLOW = (
    ("p99 alone, ms", ("latency_alone_us", "p99"), 1000), ("p99 beside slow ones, ms", ("latency_us", "p99"), 1000),
    ("RSS growth, MB", ("resident_growth_bytes",), 1e6), ("RSS for each slow one, bytes", ("resident_bytes_per_slow_reader",), 1),
    ("caught up", ("slow_readers_that_caught_up",), 1), ("closed with 1013", ("slow_readers_closed_with_1013",), 1),
)
# 20,000 a second on one core.
END_MICROSECONDS_MAX = 50.0

ROWS = (
    Row("end-ndjson", "an end in an NDJSON body of 128 lines, 4 connections", "CPU µs", CPU, (STORE, MEMORY),
        functools.partial(ends, "ndjson-publish", full=200_000, quick=50_000, clients=4, lines=128),
        aim=END_MICROSECONDS_MAX, details=(RATE,)),
    Row("end-http", "an end by an HTTP request of its own, 128 connections", "CPU µs", CPU, (STORE, MEMORY),
        functools.partial(ends, "http-publish", full=200_000, quick=50_000, clients=128),
        aim=END_MICROSECONDS_MAX, details=(RATE, ("p99 ms", ("latency_us", "p99"), 1000))),
    Row("report-ndjson", "a report in an NDJSON body of 500 lines, 4 connections, 1,000 tasks", "CPU µs", CPU, (STORE, MEMORY),
        functools.partial(reports, "ndjson-publish", full=6_000_000, quick=1_500_000, clients=4, lines=500),
        aim=1.15, reference=MEMORY, details=(RATE, ("s", ("wall_seconds",), 1))),
    Row("report-http", "a report by an HTTP request of its own, 32 connections, 1,000 tasks", "CPU µs", CPU, (STORE, MEMORY),
        functools.partial(reports, "http-publish", full=1_000_000, quick=200_000, clients=32),
        aim=1.15, reference=MEMORY, details=(RATE, ("s", ("wall_seconds",), 1))),
    # For the record: what is written behind is so much a second, whatever is reported, so a quiet gateway's share is larger.
    Row("report-http-20000", "the same at 20,000 a second, 20 for each task", "CPU µs", CPU, (STORE, MEMORY),
        functools.partial(reports, "http-publish", full=240_000, quick=80_000, clients=32, rate=20_000),
        reference=MEMORY, details=(RATE, ("s", ("wall_seconds",), 1))),
    Row("start-2", "start with 100,000 stored tasks, two loops on all cores", "s", ("seconds",), (CLEAN, KILLED),
        functools.partial(start, 2), aim=1.0, details=START),
    Row("start-1", "the same, one loop on one core", "s", ("seconds",), (CLEAN, KILLED),
        functools.partial(start, 1), aim=1.0, details=START),
    Row("resume-restart", "10,000 clients of 100 tasks come back at once behind a restart for 20 missed messages each, one loop: "
        "p99 from connecting to the last of them", "s", ("p99_seconds",), (STORE,),
        lambda *given: with_seconds(resume(*given)), aim=1.0,
        details=(("all have got theirs after, s", ("storm_us", "max"), 1e6), ("longest start, s", ("start_seconds",), 1),
                 ("CPU µs for each client", CPU, 1), ("median ms", ("latency_us", "p50"), 1000))),
    Row("slow-readers", "p99 of 1,000 readers beside 1,000 that never read, 2 KB of progress, to the same alone", "×", ("p99_ratio",),
        (STORE,), functools.partial(slow, "slow-readers"), aim=1.5, details=SLOW),
    Row("slow-readers-channel", "the same with a channel's messages, which are never left out", "×", ("p99_ratio",),
        (STORE,), functools.partial(slow, "slow-readers-channel"), aim=1.5, details=SLOW),
)


def with_seconds(result: dict) -> dict:
    return {**result, "p99_seconds": result["latency_us"]["p99"] / 1e6}
