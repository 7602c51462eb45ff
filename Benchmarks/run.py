#!/usr/bin/env python3
"""Runs the benchmarks and writes Results/<date>.md, .svg and .jsonl. Python's standard library only.

    ./run.py [--quick] [--repetitions N] [--scenarios NAME,…] [--servers NAME,…] [--name NAME] [--no-build]

Every repetition runs all scenarios, and within a scenario all its servers one after the other, each started afresh:
what the machine does meanwhile meets them alike, and ratios are taken within a repetition.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import time

from harness import plot, report
from harness.scenarios import SCENARIOS, Scenario, figure
from harness.servers import BENCHMARKS, BUILT, ROOT, SERVERS, Running, pinned

LOAD_SECONDS_MAX = 180


def main() -> None:
    arguments = parse_arguments()
    if not arguments.no_build:
        build()
    scenarios = [scenario for scenario in SCENARIOS if arguments.scenarios is None or scenario.name in arguments.scenarios]
    repetitions = arguments.repetitions or (3 if arguments.quick else 5)
    machine = report.describe_machine()
    print(f"{machine.processor}, {machine.kernel}; load average {os.getloadavg()[0]:.2f}", file=sys.stderr)
    started = time.monotonic()
    records: list[dict] = []
    for repetition in range(repetitions):
        for scenario in scenarios:
            records += run_scenario(scenario, repetition, arguments)
    seconds = time.monotonic() - started

    results = BENCHMARKS / "Results"
    results.mkdir(exist_ok=True)
    name = arguments.name or datetime.date.today().isoformat() + ("-quick" if arguments.quick else "")
    rows = report.rows(scenarios, records)
    (results / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (results / f"{name}.svg").write_text(plot.bars(rows))
    table = report.markdown(rows, machine, name, repetitions, seconds, arguments.quick)
    (results / f"{name}.md").write_text(table)
    print(table)
    print(f"written to {results / name}.md, .svg, .jsonl", file=sys.stderr)


def parse_arguments() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return text.split(",")

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short runs, for a look: less than three minutes")
    parser.add_argument("--repetitions", type=int, help="default 5, quick 3")
    parser.add_argument("--scenarios", type=names, help=", ".join(scenario.name for scenario in SCENARIOS))
    parser.add_argument("--servers", type=names, help=", ".join(SERVERS))
    parser.add_argument("--name", help="of the files in Results; default: today's date")
    parser.add_argument("--no-build", action="store_true", help="what is built already is measured")
    arguments = parser.parse_args()
    known = {scenario.name for scenario in SCENARIOS}
    for given, valid in ((arguments.scenarios or [], known), (arguments.servers or [], set(SERVERS))):
        for name in given:
            if name not in valid:
                parser.error(f"no {name}: one of {', '.join(sorted(valid))}")
    return arguments


def build() -> None:
    """The gateway as it is released, then everything here."""
    jobs = str(os.cpu_count() or 1)
    release = ["swift", "build", "-c", "release", "-j", jobs]
    for command, directory in (
        ([*release, "--static-swift-stdlib", "--product", "signalbox"], ROOT),
        ([*release, "--static-swift-stdlib"], BENCHMARKS),
    ):
        print(f"{' '.join(command)}  # in {directory}", file=sys.stderr)
        subprocess.run(command, cwd=directory, check=True, stdout=sys.stderr)


def run_scenario(scenario: Scenario, repetition: int, arguments: argparse.Namespace) -> list[dict]:
    servers = [name for name in scenario.servers if arguments.servers is None or name in arguments.servers]
    # Each is first as often as the others.
    turn = repetition % max(1, len(servers))
    return [run_once(scenario, name, repetition, arguments.quick) for name in servers[turn:] + servers[:turn]]


def run_once(scenario: Scenario, name: str, repetition: int, is_quick: bool) -> dict:
    server = SERVERS[name]
    with Running(server, echoes=scenario.kind == "echo") as running:
        start_seconds, resident = running.start_seconds, running.resident_bytes()
        command = [
            *pinned("1"), str(BUILT / "load"), "--target", server.target, "--port", str(running.port),
            "--server", str(running.process.pid), *scenario.arguments(is_quick),
        ]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX)
        if answer.returncode != 0:
            raise SystemExit(f"{scenario.name} on {name}: {answer.stderr}\n{running.output()}\n{' '.join(command)}")
    result = json.loads(answer.stdout)
    value = figure(scenario, result)
    warning = "  (the load generator was the bottleneck)" if result.get("load_saturated") else ""
    print(f"{repetition + 1}  {scenario.name:16} {name:14} {value:10.3f} {scenario.unit}{warning}", file=sys.stderr)
    return {
        "row": scenario.name, "server": name, "repetition": repetition, "figure": value,
        "start_ms": round(start_seconds * 1000, 2), "resident_bytes_at_start": resident, **result,
    }


if __name__ == "__main__":
    main()
