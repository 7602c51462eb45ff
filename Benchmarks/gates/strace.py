"""System calls for one operation, counted by strace: the difference of a run with few operations and one with many."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import tempfile

from harness.servers import STOP_SECONDS_MAX, Running, Server

from .paths import Path, drive

# The ways to hand bytes to a socket.
SENDS = frozenset({"sendto", "sendmsg", "sendmmsg", "write", "writev", "io_uring_enter"})


class Traced(Running):
    """A server under strace. The tracer outlives signals: the server itself is told to end, by the identifier that it
    has written down."""

    def __init__(self, server: Server, identifier_file: pathlib.Path, *, echoes: bool):
        super().__init__(server, echoes=echoes)
        self.identifier = int(identifier_file.read_text())

    def __exit__(self, *_: object) -> None:
        os.kill(self.identifier, signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.kill(self.identifier, signal.SIGKILL)
            self.process.wait()
        self.log.close()


def check_permission() -> None:
    """Ends the program where tracing is forbidden: a gate that cannot count must not pass."""
    try:
        answer = subprocess.run(["strace", "-f", "-c", "-o", os.devnull, "true"], capture_output=True, text=True)
    except FileNotFoundError:
        raise SystemExit("gates: strace is not installed: scripts/install-system-packages.sh gates") from None
    if answer.returncode != 0:
        raise SystemExit(
            f"gates: strace may not trace here ({answer.stderr.strip()}), so system calls cannot be counted: allow ptrace, in "
            "Docker with --cap-add SYS_PTRACE, elsewhere with kernel.yama.ptrace_scope at most 1")


def measured(path: Path, server: Server) -> dict[str, float]:
    """The system calls of one operation, by name."""
    few, few_operations = traced(path, path.few, server)
    many, many_operations = traced(path, path.many, server)
    operations = many_operations - few_operations
    return {name: (many.get(name, 0) - few.get(name, 0)) / operations for name in many.keys() | few.keys()}


def traced(path: Path, count: int, server: Server) -> tuple[dict[str, int], int]:
    """One run's system calls by name, from its start to its end, and how many operations the client counted."""
    with tempfile.TemporaryDirectory() as directory:
        summary = pathlib.Path(directory) / "summary"
        identifier_file = pathlib.Path(directory) / "identifier"
        # The shell becomes the server and keeps its identifier.
        shell = ("sh", "-c", f'echo $$ >{identifier_file}; exec "$@"', "sh")
        command = ("strace", "-f", "-c", "-o", str(summary), "--", *shell, *server.command)
        with Traced(dataclasses.replace(server, command=command), identifier_file, echoes=path.echoes) as running:
            operations = drive(running, path, count, server.target)
        return read(summary.read_text()), operations


def read(text: str) -> dict[str, int]:
    """Reads strace's table: % time, seconds, usecs/call, calls, errors (may be empty), name."""
    counts: dict[str, int] = {}
    for line in text.splitlines():
        match = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?([a-z_][\w]*)\s*$", line)
        if match and match[2] != "total":
            counts[match[2]] = counts.get(match[2], 0) + int(match[1])
    return counts


def sends(counts: dict[str, float]) -> float:
    return sum(count for name, count in counts.items() if name in SENDS)
