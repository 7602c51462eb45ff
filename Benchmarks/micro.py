#!/usr/bin/env python3
"""Runs the microbenchmarks and writes Results/<date>-micro.md: nanoseconds and, where valgrind is installed, instructions
of small pieces of the gateway, each beside the least that the work needs.

    ./micro.py [--repetitions N] [--milliseconds N] [--only TEXT] [--name NAME] [--no-build] [--no-instructions]
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from harness import report
from harness.servers import BENCHMARKS, ROOT

PROGRAM = ROOT / ".build" / "release" / "microbenchmarks"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=9, help="of all subjects in turn; the table has the median")
    parser.add_argument("--milliseconds", type=int, default=5, help="of each subject in each repetition")
    parser.add_argument("--only", default="", help="subjects whose names contain this")
    parser.add_argument("--name", default=datetime.date.today().isoformat() + "-micro", help="of the file in Results")
    parser.add_argument("--no-build", action="store_true")
    parser.add_argument("--no-instructions", action="store_true")
    arguments = parser.parse_args()
    if not arguments.no_build:
        build()
    subjects = [json.loads(line) for line in run([
        str(PROGRAM), "--repetitions", str(arguments.repetitions), "--milliseconds", str(arguments.milliseconds),
        "--only", arguments.only]).splitlines()]
    instructions: dict[str, tuple[float, float | None]] = {}
    if not arguments.no_instructions and shutil.which("valgrind"):
        instructions = count(arguments.only)
    table = markdown(subjects, instructions, arguments.name, arguments.repetitions)
    results = BENCHMARKS / "Results"
    results.mkdir(exist_ok=True)
    (results / f"{arguments.name}.md").write_text(table)
    print(table)
    print(f"written to {results / arguments.name}.md", file=sys.stderr)


def build() -> None:
    command = [
        "swift", "build", "-c", "release", "--static-swift-stdlib", "--product", "microbenchmarks", "-j", str(os.cpu_count() or 1)]
    print(f"SIGNALBOX_MICRO=1 {' '.join(command)}", file=sys.stderr)
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr, env={**os.environ, "SIGNALBOX_MICRO": "1"})


def run(command: list[str]) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if answer.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {answer.stderr[-2000:]}")
    return answer.stdout


def count(only: str) -> dict[str, tuple[float, float | None]]:
    """Instructions for one operation of each subject and of its floor. The program runs each with few and with many
    operations between marks, at which callgrind writes down what it counted since the last one."""
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "counted"
        output = run([
            "valgrind", "--tool=callgrind", "--dump-before=micro_mark", f"--callgrind-out-file={file}", str(PROGRAM), "--mark",
            "--only", only])
        totals = []
        for number in range(1, 1 + len(list(pathlib.Path(directory).glob("counted.*")))):
            match = re.search(r"^totals: (\d+)", pathlib.Path(f"{file}.{number}").read_text(errors="replace"), re.MULTILINE)
            totals.append(int(match[1]) if match else 0)
    costs: dict[str, tuple[float, float | None]] = {}
    position = 0

    def next_cost(operations: int) -> float:
        # Three marks: what came before, few operations, many.
        nonlocal position
        few, many = totals[position + 1], totals[position + 2]
        position += 3
        return (many - few) / operations

    for subject in map(json.loads, output.splitlines()):
        own = next_cost(subject["operations"])
        costs[subject["name"]] = own, next_cost(subject["operations"]) if subject["has_floor"] else None
    return costs


def markdown(subjects: list[dict], instructions: dict[str, tuple[float, float | None]], name: str, repetitions: int) -> str:
    machine = report.describe_machine()
    lines = [
        f"# Microbenchmarks, {name.removesuffix('-micro')}",
        "",
        f"{machine.processor}, {machine.cores} cores · {machine.kernel} · {machine.swift} · commit {machine.commit} · "
        f"load average {machine.load_average:.2f}",
        "",
        f"Nanoseconds for one operation: median (lowest–highest) of {repetitions} repetitions, in each of which all subjects had "
        "their turn. Instructions are callgrind's, kernel excluded, and do not depend on the machine's load. The floor is the "
        "least that the work needs, in C.",
        "",
        "| work | ns | floor, ns | instructions | floor, instructions | what the floor is |",
        "|---|---|---|---|---|---|",
    ]
    for subject in subjects:
        own, floor = instructions.get(subject["name"], (None, None))
        median, lowest, highest = subject["ns"]
        floor_ns = number(subject["floor_ns"][0]) if "floor_ns" in subject else ""
        lines.append(
            f"| {subject['name']} | {number(median)} ({number(lowest)}–{number(highest)}) | {floor_ns} | {number(own)} | "
            f"{number(floor)} | {subject['floor'] if floor_ns else ''} |")
    return "\n".join([*lines, "", "Command: `make micro`", ""])


def number(value: float | None) -> str:
    """Three digits that mean something."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
