#!/usr/bin/env python3
"""Runs the benchmarks and writes Results/<date>.md, .svg, .png where a tool is there, and .jsonl. Python's standard
library only.

    ./run.py [--quick] [--repetitions N] [--scenarios NAME,…] [--servers NAME,…] [--name NAME] [--no-build]

Every repetition runs all scenarios, and within a scenario all its servers one after the other, each started afresh:
what the machine does meanwhile meets them alike, and ratios are taken within a repetition. Nothing is resumed: a run
that fails says why and writes nothing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from harness import plot, report
from harness.scenarios import PEERS, SCENARIOS, Scenario, figure
from harness.servers import BENCHMARKS, BUILT, ROOT, SERVERS, Running, pinned

LOAD_SECONDS_MAX = 180
# Frames are shared: what waits for one who does not read is a list of them. Far below --send-buffer-bytes.
SLOW_READER_BYTES_MAX = 64 * 1024


def main() -> None:
    arguments = parse_arguments()
    # So that the server under measurement ends with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    if not arguments.no_build:
        build()
    plan = [(scenario, servers_of(scenario, arguments)) for scenario in SCENARIOS
            if arguments.scenarios is None or scenario.name in arguments.scenarios]
    plan = [(scenario, servers) for scenario, servers in plan if servers]
    require_binaries(plan, arguments)
    repetitions = arguments.repetitions or (3 if arguments.quick else 5)
    machine = report.describe_machine()
    counts = {scenario.name: repetitions_of(scenario, repetitions, arguments) for scenario, _ in plan}
    progress = Progress(sum(counts[scenario.name] * len(servers) for scenario, servers in plan))
    print(f"{machine.processor}, {machine.kernel}; load average {os.getloadavg()[0]:.2f}; {repetitions} repetitions, "
          f"{progress.count} runs", file=sys.stderr)
    records: list[dict] = []
    for repetition in range(repetitions):
        for scenario, servers in plan:
            if repetition >= counts[scenario.name]:
                continue
            # Each is first as often as the others.
            turn = repetition % len(servers)
            for name in servers[turn:] + servers[:turn]:
                records.append(run_once(scenario, name, repetition, arguments.quick, progress))
    write(records, [scenario for scenario, _ in plan], machine, repetitions, progress.elapsed(), arguments)


def parse_arguments() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return [name for name in text.split(",") if name]

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="short runs, for a look: less than three minutes; peers only where --servers names them")
    parser.add_argument("--repetitions", type=int, help="default 5, quick 3")
    parser.add_argument("--scenarios", type=names, help=", ".join(scenario.name for scenario in SCENARIOS))
    parser.add_argument("--servers", type=names, help=f"of each row only these: {', '.join(SERVERS)}")
    parser.add_argument("--name", help="of the files in Results; default: today's date")
    parser.add_argument("--no-build", action="store_true", help="what is built already is measured")
    arguments = parser.parse_args()
    if arguments.repetitions is not None and arguments.repetitions < 1:
        parser.error(f"--repetitions is {arguments.repetitions}, must be at least 1")
    known = {scenario.name for scenario in SCENARIOS}
    for given, valid in ((arguments.scenarios or [], known), (arguments.servers or [], set(SERVERS))):
        for name in given:
            if name not in valid:
                parser.error(f"no {name}: one of {', '.join(sorted(valid))}")
    return arguments


def build() -> None:
    """The gateway as it is released, then everything here."""
    if shutil.which("swift") is None:
        raise SystemExit("swift is not on PATH: use make bench, or --no-build for what is built already")
    jobs = str(os.cpu_count() or 1)
    release = ["swift", "build", "-c", "release", "-j", jobs, "--static-swift-stdlib"]
    for command, directory in (
        ([*release, "--product", "signalbox"], ROOT),
        ([*release, "--product", "ceiling"], BENCHMARKS),
        ([*release, "--product", "load"], BENCHMARKS),
    ):
        print(f"{' '.join(command)}  # in {directory}", file=sys.stderr)
        if subprocess.run(command, cwd=directory, stdout=sys.stderr).returncode != 0:
            raise SystemExit(f"the build failed: {' '.join(command)}  # in {directory}")


def servers_of(scenario: Scenario, arguments: argparse.Namespace) -> list[str]:
    """Who runs in a row: all of it, or who is named; peers only where they are installed."""
    if arguments.servers is not None:
        return [name for name in scenario.all_servers() if name in arguments.servers]
    return [name for name in scenario.all_servers()
            if name not in scenario.peers or (not arguments.quick and SERVERS[name].is_installed)]


def repetitions_of(scenario: Scenario, repetitions: int, arguments: argparse.Namespace) -> int:
    is_short = arguments.quick and arguments.repetitions is None
    return min(repetitions, scenario.quick_repetitions) if is_short else repetitions


def require_binaries(plan: list[tuple[Scenario, list[str]]], arguments: argparse.Namespace) -> None:
    """Says what is missing before the first run rather than in the middle of the last."""
    if not plan:
        raise SystemExit("nothing to run: none of the servers named is in any of the scenarios named")
    missing = [f"{BUILT / 'load'} (run without --no-build)"] if not (BUILT / "load").exists() else []
    for name in dict.fromkeys(name for _, servers in plan for name in servers):
        server = SERVERS[name]
        if not server.is_installed:
            missing += [f"{path}, for {name} (run Benchmarks/Peers/install)" for path in server.needs if not path.exists()]
        elif not pathlib.Path(os.path.expandvars(server.command[0])).exists():
            missing.append(f"{server.command[0]}, for {name} (run without --no-build)")
    if missing:
        raise SystemExit("missing:\n" + "\n".join(f"  {each}" for each in missing))
    if arguments.servers is None and not arguments.quick:
        absent = [name for name in PEERS if not SERVERS[name].is_installed]
        if absent:
            print(f"left out, as not installed: {', '.join(absent)} (Benchmarks/Peers/install)", file=sys.stderr)


class Progress:
    """How far the whole run is. Repetitions take alike, so that what is left is known well once the first is through."""

    def __init__(self, count: int):
        self.count = count
        self.done = 0
        self.started = time.monotonic()

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def step(self) -> str:
        self.done += 1
        expected = self.elapsed() / self.done * self.count
        return f"{self.done}/{self.count}  {clock(self.elapsed())} of about {clock(expected)}"


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def run_once(scenario: Scenario, name: str, repetition: int, is_quick: bool, progress: Progress) -> dict:
    server = scenario.server(name)
    with Running(server, echoes=scenario.kind == "echo") as running:
        start_seconds, resident = running.start_seconds, running.resident_bytes()
        command = [
            *pinned(scenario.load_cores), str(BUILT / "load"), "--target", server.target, "--port", str(running.port),
            "--server", str(running.process.pid), *scenario.arguments(is_quick, name in scenario.peers),
        ]
        told = f"{scenario.name} on {name}: {' '.join(command)}"
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise SystemExit(f"{told}\nhas not ended after {LOAD_SECONDS_MAX} s\n{running.output()}") from None
        if answer.returncode != 0:
            raise SystemExit(f"{told}\n{answer.stderr}\n{running.output()}")
    result = json.loads(answer.stdout)
    check(scenario, name, result)
    value = figure(scenario, result)
    print(f"{progress.step():32} {scenario.name:20} {name:20} {value:10.3f} {scenario.unit}{warning(result)}", file=sys.stderr)
    return {
        "row": scenario.name, "server": name, "repetition": repetition, "figure": value,
        "start_ms": round(start_seconds * 1000, 2), "resident_bytes_at_start": resident, **result,
    }


def check(scenario: Scenario, name: str, result: dict) -> None:
    """What a row is about must have happened."""
    if scenario.kind == "deflate" and result["compressed"] != (name != scenario.reference):
        raise SystemExit(f"{scenario.name} on {name}: messages came {'' if result['compressed'] else 'un'}compressed")
    if scenario.kind == "slow":
        proper = result["slow_readers_that_caught_up"] + result["slow_readers_closed_with_1013"]
        if proper != result["slow_readers"]:
            raise SystemExit(f"{scenario.name} on {name}: {result['slow_readers'] - proper} slow readers neither caught up "
                             "nor were closed with 1013")
        if result["resident_bytes_per_slow_reader"] > SLOW_READER_BYTES_MAX:
            raise SystemExit(f"{scenario.name} on {name}: a slow reader takes {result['resident_bytes_per_slow_reader']:.0f} "
                             f"bytes of RSS, more than {SLOW_READER_BYTES_MAX}")


def warning(result: dict) -> str:
    if result.get("load_saturated"):
        return "  (the load generator was the bottleneck)"
    return "  (the load generator was late)" if result.get("load_late") else ""


def write(
    records: list[dict], scenarios: list[Scenario], machine: report.Machine, repetitions: int, seconds: float,
    arguments: argparse.Namespace,
) -> None:
    results = BENCHMARKS / "Results"
    results.mkdir(exist_ok=True)
    name = arguments.name or datetime.date.today().isoformat() + ("-quick" if arguments.quick else "")
    rows = report.rows(scenarios, records)
    (results / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    written = [".md", ".svg", ".jsonl"]
    (results / f"{name}.svg").write_text(plot.lanes(rows))
    if plot.rasterise(results / f"{name}.svg", results / f"{name}.png"):
        written.append(".png")
    text = report.markdown(rows, records, machine, name, repetitions, seconds, arguments.quick)
    (results / f"{name}.md").write_text(text)
    print(text)
    print(f"written to {results / name}{', '.join(written)}", file=sys.stderr)


if __name__ == "__main__":
    main()
