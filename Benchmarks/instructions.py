#!/usr/bin/env python3
"""Counts the gateway's instructions for one operation, with valgrind's callgrind: repeatable on a busy machine too.

    ./instructions.py [--paths NAME,…] [--server NAME] [--top N] [--lines]

Each path runs twice, with few and with many operations; the difference divided by the operations between them is what
one costs in user space, start-up and connecting taken out. What the kernel does is not in these figures.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import tempfile

from harness.servers import BUILT, SERVERS, Running


@dataclasses.dataclass(frozen=True)
class Path:
    title: str
    arguments: str
    few: int
    many: int
    # Which figure of the load generator's answer counts the operations, and its members that are not --operations.
    option: str = "--operations"


PATHS = {
    "closed": Path("a delivery, closed loop, 200 subscribers", "--scenario closed --clients 200 --warm-up 5", 20, 120),
    "closed-1000": Path("a delivery, closed loop, 1,000 subscribers", "--scenario closed --clients 1000 --warm-up 5", 10, 40),
    "stream": Path("a delivery, batches of 64, 200 subscribers", "--scenario stream --clients 200 --warm-up 64", 640, 3200),
    "topics": Path(
        "a delivery, 1,000 clients of 100 tasks, batches of 400",
        "--scenario topics --clients 1000 --topics 100 --under-way 400 --warm-up 800", 2000, 10000),
    "echo": Path("an echo", "--scenario echo --clients 20 --under-way 1 --warm-up 5", 50, 250),
    "echo-pipelined": Path("an echo, 16 under way", "--scenario echo --clients 20 --under-way 16 --warm-up 5", 10, 60),
    "handshake": Path("an opening handshake", "--scenario handshake --warm-up 50", 200, 1000, option="--clients"),
    "http-publish": Path(
        "an HTTP publish without subscribers", "--scenario http-publish --clients 8 --topics 20 --warm-up 200", 1000, 5000),
    "ndjson-publish": Path(
        "an NDJSON line without subscribers",
        "--scenario ndjson-publish --clients 2 --topics 20 --lines 200 --warm-up 2000", 4000, 20000),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", default=",".join(PATHS))
    parser.add_argument("--server", default="signalbox", choices=sorted(SERVERS))
    parser.add_argument("--top", type=int, default=25, help="functions to list")
    parser.add_argument("--lines", action="store_true", help="list source lines as well")
    arguments = parser.parse_args()
    for name in arguments.paths.split(","):
        path = PATHS[name]
        if arguments.server.startswith("ceiling") and "publish" in name:
            continue
        few, few_operations = profile(path, path.few, arguments.server)
        many, many_operations = profile(path, path.many, arguments.server)
        operations = many_operations - few_operations
        print(f"\n{name}: {path.title}: {(sum(many[0].values()) - sum(few[0].values())) / operations:,.0f} instructions")
        tables = [(few[0], many[0])] + ([(few[1], many[1])] if arguments.lines else [])
        for low, high in tables:
            costs = {key: (high[key] - low.get(key, 0)) / operations for key in high}
            ranked = sorted(costs.items(), key=lambda item: -item[1])[: arguments.top]
            for (key, cost), shown in zip(ranked, demangled([key for key, _ in ranked])):
                print(f"  {cost:10,.1f}  {shown[:160]}")


def profile(path: Path, count: int, server_name: str) -> tuple[tuple[dict, dict], int]:
    """The instructions by function and by source line, and how many operations the load generator counted."""
    server = SERVERS[server_name]
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "callgrind.out"
        command = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={file}", *server.command)
        with Running(dataclasses.replace(server, command=command), echoes="echo" in path.arguments) as running:
            load = [
                str(BUILT / "load"), "--target", server.target, "--port", str(running.port), "--server",
                str(running.process.pid), *path.arguments.split(), path.option, str(count),
            ]
            answer = subprocess.run(load, capture_output=True, text=True, timeout=300)
            if answer.returncode != 0:
                raise SystemExit(f"{' '.join(load)}: {answer.stderr}\n{running.output()}")
        return costs_of(file), json.loads(answer.stdout)["operations"]


def costs_of(file: pathlib.Path) -> tuple[dict[str, int], dict[str, int]]:
    """Reads callgrind's format: a function's own cost lines; the line after `calls=` is its callee's and is skipped."""
    names: dict[tuple[str, str], str] = {}
    functions: dict[str, int] = collections.Counter()
    lines: dict[str, int] = collections.Counter()
    function = source = ""
    skips = False
    line_number = 0

    def name(kind: str, text: str) -> str:
        match = re.match(r"\((\d+)\)(?: (.*))?", text)
        if not match:
            return text
        if match[2]:
            names[kind, match[1]] = match[2]
        return names.get((kind, match[1]), "?")

    for line in file.read_text(errors="replace").splitlines():
        if line.startswith("fn="):
            function = name("fn", line[3:])
        elif line.startswith("cfn="):
            name("fn", line[4:])
        elif line[:3] in ("fl=", "fi=", "fe="):
            source = name("fl", line[3:])
        elif line.startswith(("cfi=", "cfl=")):
            name("fl", line[4:])
        elif line.startswith("calls="):
            skips = True
        elif line and line[0] in "+-*0123456789":
            position, *costs = line.split()
            if position[0] in "+-":
                line_number += int(position)
            elif position != "*":
                line_number = int(position)
            if skips:
                skips = False
            elif costs:
                functions[function] += int(costs[0])
                lines[f"{os.path.basename(source)}:{line_number} in {function}"] += int(costs[0])
    return functions, lines


def demangled(names: list[str]) -> list[str]:
    answer = subprocess.run(["swift", "demangle", "--simplified"], input="\n".join(names), capture_output=True, text=True)
    return answer.stdout.splitlines() if answer.returncode == 0 else names


if __name__ == "__main__":
    main()
