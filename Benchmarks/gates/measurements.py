"""What is measured for the gates: each measurement runs the gateway a few times and yields figures by the gates' names."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import sys
import time
from typing import Callable

from harness.servers import SERVERS, Server

from . import callgrind, memory, strace
from .paths import BATCH_MESSAGE_COUNT, PATHS

# Whose instructions count: the file that is released.
OBJECT = "signalbox"
COUNTED_BY_CALLGRIND = (
    "closed", "stream", "topics", "echo", "echo-pipelined", "ping", "handshake", "http-publish", "ndjson-publish")


@dataclasses.dataclass(frozen=True)
class Measurement:
    title: str
    gates: tuple[str, ...]
    run: Callable[[], dict[str, float]]


def server() -> Server:
    """The gateway with one loop, on whichever core is free: nothing here looks at the time."""
    return dataclasses.replace(SERVERS["signalbox"], cores=",".join(map(str, sorted(os.sched_getaffinity(0)))))


def _callgrind(name: str) -> Measurement:
    def run() -> dict[str, float]:
        profile = callgrind.measured(PATHS[name], server())
        return {f"instructions.{name}": profile.instructions_in(OBJECT), f"allocations.{name}": profile.allocations}

    return Measurement(f"{PATHS[name].title}, under callgrind", (f"instructions.{name}", f"allocations.{name}"), run)


def _strace(name: str, *, scale: float = 1, counts_sends: bool = False) -> Measurement:
    def run() -> dict[str, float]:
        counts = strace.measured(PATHS[name], server())
        figures = {f"system-calls.{name}": sum(counts.values()) * scale}
        if counts_sends:
            figures[f"sends.{name}"] = strace.sends(counts) * scale
        return figures

    gates = (f"system-calls.{name}",) + ((f"sends.{name}",) if counts_sends else ())
    return Measurement(f"{PATHS[name].title}, under strace", gates, run)


def _kept(name: str) -> Measurement:
    def run() -> dict[str, float]:
        return {f"blocks.{name}": callgrind.measured(PATHS[name], server()).kept}

    return Measurement(f"{PATHS[name].title}, under callgrind", (f"blocks.{name}",), run)


def _connections() -> dict[str, float]:
    figures = memory.of_connections(server())
    return {"bytes.connection": figures["connection"], "bytes.idle": figures["idle"]}


def _growth() -> dict[str, float]:
    return {"bytes.cycle": memory.growth(server())}


MEASUREMENTS = (
    # The longest comes first, and computes nothing.
    _strace("idle", scale=1000),
    *(_callgrind(name) for name in COUNTED_BY_CALLGRIND),
    _kept("visit"),
    _strace("closed-1000", counts_sends=True),
    _strace("batch", scale=BATCH_MESSAGE_COUNT, counts_sends=True),
    _strace("echo", counts_sends=True),
    _strace("handshake"),
    _strace("http-publish"),
    _strace("ndjson-publish"),
    Measurement("resident bytes of idle connections", ("bytes.connection", "bytes.idle"), _connections),
    Measurement("bytes that a cycle of 1,000 connections leaves", ("bytes.cycle",), _growth),
)


def run_all(chosen: list[Measurement], job_count: int) -> dict[str, float]:
    """The figures of these measurements; several at a time, since counts do not depend on who else computes."""
    figures: dict[str, float] = {}

    def timed(measurement: Measurement) -> dict[str, float]:
        started = time.monotonic()
        found = measurement.run()
        text = ", ".join(f"{name} {value:,.3f}" for name, value in found.items())
        print(f"{time.monotonic() - started:5.1f} s  {measurement.title}: {text}", file=sys.stderr)
        return found

    with concurrent.futures.ThreadPoolExecutor(job_count) as pool:
        futures = [pool.submit(timed, measurement) for measurement in chosen]
        for future in futures:
            try:
                figures |= future.result()
            except BaseException:
                for other in futures:
                    other.cancel()
                raise
    return figures
