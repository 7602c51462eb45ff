"""Bytes: of an idle connection, of a gateway without any, and of what stays when everybody has left."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import time

from harness.servers import BUILT, Running, Server

from .paths import LOAD_SECONDS_MAX, await_answer, open_socket_count, settle

# Two sizes, so that what the first connections make resident (buffers, tables) is not counted as theirs.
FEW_CONNECTIONS, MANY_CONNECTIONS = 1000, 5000
TOPIC_COUNT = 400
REST_SECONDS_MAX = 1.0
# What the first cycles make resident is kept for the next ones; what later ones add is a leak.
WARM_CYCLE_COUNT, CYCLE_COUNT, CYCLE_CONNECTION_COUNT = 3, 10, 1000


def of_connections(server: Server) -> dict[str, float]:
    """`connection`: private bytes for each of the connections with one subscription; `idle`: resident without any."""
    few, resident = held(server, FEW_CONNECTIONS)
    many, _ = held(server, MANY_CONNECTIONS)
    return {"connection": (many - few) / (MANY_CONNECTIONS - FEW_CONNECTIONS), "idle": resident}


def held(server: Server, count: int) -> tuple[float, float]:
    """Private bytes that connections added, and what was resident before them, at rest."""
    with Running(server) as running:
        await_answer(running.port)
        resident = at_rest(running)
        answer = load(running, server, f"--scenario idle --clients {count} --topics {TOPIC_COUNT} --operations 100")
    return answer["bytes_per_connection"] * count, resident


def at_rest(running: Running) -> int:
    """Resident bytes once the start is over: the pages of code that only the start needs are given back after it."""
    end = time.monotonic() + REST_SECONDS_MAX
    lowest = running.resident_bytes()
    while time.monotonic() < end:
        time.sleep(0.05)
        lowest = min(lowest, running.resident_bytes())
    return lowest


def growth(server: Server) -> float:
    """Bytes of private memory that a cycle leaves: a thousand clients connect, subscribe, get messages and go."""
    cycle = f"--scenario closed --clients {CYCLE_CONNECTION_COUNT} --warm-up 1 --operations 2"
    with Running(server) as running:
        await_answer(running.port)
        socket_count = open_socket_count(running.process.pid)

        def after(cycle_count: int) -> int:
            byte_count = 0
            for _ in range(cycle_count):
                load(running, server, cycle)
                byte_count = private_byte_count(running, socket_count)
            return byte_count

        before = after(WARM_CYCLE_COUNT)
        return (after(CYCLE_COUNT) - before) / CYCLE_COUNT


def load(running: Running, server: Server, arguments: str) -> dict:
    command = [
        str(BUILT / "load"), "--target", server.target, "--port", str(running.port), "--server", str(running.process.pid),
        *arguments.split(),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX)
    if answer.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {answer.stderr}\n{running.output()}")
    return json.loads(answer.stdout)


def private_byte_count(running: Running, socket_count: int) -> int:
    """Of anonymous memory, once the gateway has noticed that everybody left."""
    settle(running.process.pid, socket_count)
    status = pathlib.Path(f"/proc/{running.process.pid}/status").read_text()
    match = re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)
    if not match:
        raise SystemExit("gates: /proc/PID/status has no RssAnon, so memory cannot be counted")
    return int(match[1]) * 1024
