#!/usr/bin/env python3
"""Holds the gateway to counts that do not depend on the machine's mood: instructions, heap allocations, system calls,
bytes. The bounds, each with its reason, are in gates.json; exit status 1 where one is passed.

    ./check_gates.py [--only PREFIX,…] [--update] [--figures FILE] [--write-figures FILE] [--jobs N] [--no-build]

Counts come from the release build under valgrind and strace. A figure above its bound is counted again, up to twice,
before it is believed: a busy machine may split a turn in two, which costs, and never saves.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

from gates import judge, strace
from gates.measurements import MEASUREMENTS, Measurement, run_all
from harness.servers import BENCHMARKS, BUILT, ROOT

BOUNDS = BENCHMARKS / "gates.json"
COUNT_AGAIN_MAX = 2


def main() -> None:
    arguments = parse_arguments()
    gates = judge.load(arguments.bounds)
    started = time.monotonic()
    if arguments.figures:
        figures = json.loads(arguments.figures.read_text())
        unknown = sorted(set(figures) - set(gates))
        if unknown:
            raise SystemExit(f"gates: {arguments.bounds.name} has no bound for {', '.join(unknown)}")
    else:
        figures = counted(gates, arguments)
    if arguments.write_figures:
        arguments.write_figures.write_text(json.dumps(figures, indent=2) + "\n")
    if arguments.update:
        gates = judge.updated(gates, figures)
        judge.save(gates, arguments.bounds)
    print(judge.table(gates, figures))
    for note in judge.notes(gates, figures):
        print(f"note: {note}")
    complaints = judge.complaints(gates, figures)
    for complaint in complaints:
        print(f"gates: {complaint}", file=sys.stderr)
    took = "" if arguments.figures else f" in {time.monotonic() - started:.0f} s"
    print(f"gates: {len(figures) - len(complaints)} of {len(figures)} kept{took}")
    sys.exit(1 if complaints else 0)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: tuple(text.split(",")), help="gates whose names begin so")
    parser.add_argument("--update", action="store_true", help="set the bounds to what is counted, plus the margin")
    parser.add_argument("--bounds", type=pathlib.Path, default=BOUNDS)
    parser.add_argument("--figures", type=pathlib.Path, help="judge these, which --write-figures wrote, and count nothing")
    parser.add_argument("--write-figures", type=pathlib.Path)
    parser.add_argument(
        "--jobs", type=int, default=1 + min(4, len(os.sched_getaffinity(0))),
        help="measurements at a time")
    parser.add_argument("--no-build", action="store_true", help="the load generator is built already")
    return parser.parse_args()


def counted(gates: dict[str, judge.Gate], arguments: argparse.Namespace) -> dict[str, float]:
    chosen = [
        measurement for measurement in MEASUREMENTS
        if arguments.only is None or any(gate.startswith(arguments.only) for gate in measurement.gates)
    ]
    if not chosen:
        raise SystemExit(f"gates: no gate begins with {' or '.join(arguments.only)}")
    missing = sorted({gate for measurement in chosen for gate in measurement.gates} - set(gates))
    if missing:
        raise SystemExit(f"gates: {arguments.bounds.name} has no bound for {', '.join(missing)}")
    prepare(arguments)
    figures = run_all(chosen, arguments.jobs)
    for _ in range(0 if arguments.update else COUNT_AGAIN_MAX):
        doubtful = [each for each in chosen if any(gates[gate].is_passed_by(figures[gate]) for gate in each.gates)]
        if not doubtful:
            break
        print("above a bound, counted again:", ", ".join(each.title for each in doubtful), file=sys.stderr)
        # One at a time, so that nobody else disturbs.
        for name, value in run_all(doubtful, 1).items():
            figures[name] = min(figures[name], value)
    return figures


def prepare(arguments: argparse.Namespace) -> None:
    """What is counted, what it is counted with, and the client. Whatever is missing ends the program: no count, no pass."""
    if not (ROOT / ".build" / "release" / "signalbox").exists():
        raise SystemExit("gates: .build/release/signalbox is missing: run make build")
    if shutil.which("valgrind") is None:
        raise SystemExit("gates: valgrind is not installed: scripts/install-system-packages.sh gates")
    strace.check_permission()
    if not arguments.no_build:
        command = ["swift", "build", "-c", "release", "--static-swift-stdlib", "--product", "load", "-j", str(os.cpu_count() or 1)]
        subprocess.run(command, cwd=BENCHMARKS, check=True, stdout=sys.stderr)
    if not (BUILT / "load").exists():
        raise SystemExit(f"gates: {BUILT / 'load'} is missing: run without --no-build")


if __name__ == "__main__":
    main()
