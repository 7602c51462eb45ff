"""The hot paths that are counted, and how the load generator walks them."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import time

from harness.servers import BUILT, Running

from . import pings

LOAD_SECONDS_MAX = 300
SETTLE_SECONDS_MAX = 30


@dataclasses.dataclass(frozen=True)
class Path:
    # One operation.
    title: str
    # The load generator's; none where `pings` is the client.
    arguments: str
    few: int
    many: int
    # Which of the arguments counts the operations.
    option: str = "--operations"

    @property
    def echoes(self) -> bool:
        return "--scenario echo" in self.arguments


PATHS = {
    "closed": Path("a delivery, closed loop, 200 subscribers", "--scenario closed --clients 200 --warm-up 5", 20, 120),
    "closed-1000": Path("a delivery, closed loop, 1,000 subscribers", "--scenario closed --clients 1000 --warm-up 5", 10, 90),
    "stream": Path("a delivery, batches of 64, 200 subscribers", "--scenario stream --clients 200 --warm-up 64", 640, 3200),
    "topics": Path(
        "a delivery, 1,000 clients of 100 tasks, batches of 400",
        "--scenario topics --clients 1000 --topics 100 --under-way 400 --warm-up 800", 2000, 10000),
    "echo": Path("an echo", "--scenario echo --clients 20 --under-way 1 --warm-up 5", 50, 250),
    "echo-pipelined": Path("an echo, 16 under way", "--scenario echo --clients 20 --under-way 16 --warm-up 5", 10, 60),
    "ping": Path("a ping frame", "", 500, 4500),
    "handshake": Path("an opening handshake", "--scenario handshake --warm-up 50", 200, 1000, option="--clients"),
    "http-publish": Path(
        "an HTTP publish without subscribers", "--scenario http-publish --clients 8 --topics 20 --warm-up 200", 1000, 5000),
    "ndjson-publish": Path(
        "an NDJSON line without subscribers",
        "--scenario ndjson-publish --clients 2 --topics 20 --lines 200 --warm-up 2000", 4000, 20000),
    "visit": Path(
        "a client that connects, subscribes, gets two messages and goes", "--scenario closed --warm-up 2 --operations 2", 200, 800,
        option="--clients"),
    # Counted by system calls only: what a turn costs whole, and what silence costs.
    "batch": Path("64 messages for one subscriber", "--scenario stream --clients 1 --under-way 64 --warm-up 64", 640, 6400),
    "idle": Path(
        "a second of silence, four connections", "--scenario idle --clients 4 --topics 2", 1000, 9000),
}
# Of `batch`, where the load generator counts deliveries.
BATCH_MESSAGE_COUNT = 64


def drive(running: Running, path: Path, count: int, target: str) -> int:
    """Runs the load and waits until the server has seen it leave; how many operations there were."""
    if target == "signalbox":
        await_answer(running.port)
    before = open_socket_count(identifier_of(running))
    operations = exercise(running, path, count, target)
    settle(identifier_of(running), before)
    return operations


def exercise(running: Running, path: Path, count: int, target: str) -> int:
    if not path.arguments:
        return pings.exchange(running.port, count)
    # Not --server: under a tool the process is the tool's. The load generator merely wants one that exists.
    command = [
        str(BUILT / "load"), "--target", target, "--port", str(running.port), "--server", str(os.getpid()),
        *path.arguments.split(), path.option, str(count),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX)
    if answer.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {answer.stderr}\n{running.output()}")
    answered = json.loads(answer.stdout).get("operations", count)
    # Where the count is of clients or milliseconds the load generator's operations are something else.
    return answered if path.option == "--operations" else count


def identifier_of(running: Running) -> int:
    """Of the server's own process, where it was started by a tool as well."""
    return getattr(running, "identifier", running.process.pid)


def open_socket_count(identifier: int) -> int:
    count = 0
    for entry in os.scandir(f"/proc/{identifier}/fd"):
        try:
            count += os.readlink(entry.path).startswith("socket:")
        except FileNotFoundError:
            pass  # closed meanwhile
    return count


def settle(identifier: int, socket_count: int) -> None:
    """Waits until no more sockets are open than these. Otherwise it would depend on who is quicker whether a server
    that is told to end finds the clients gone or says goodbye to them."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while open_socket_count(identifier) > socket_count:
        if time.monotonic() > deadline:
            raise SystemExit(f"gates: connections are still open {SETTLE_SECONDS_MAX} s after their clients ended")
        time.sleep(0.02)


def await_answer(port: int) -> None:
    """Waits for an answer to a request. That somebody listens is not enough: the gateway listens for an instant to find out
    whether its port is free, and whoever connects then is reset."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=SETTLE_SECONDS_MAX) as connection:
                connection.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                if connection.recv(4096).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass
        time.sleep(0.02)
    raise SystemExit(f"gates: the gateway did not answer within {SETTLE_SECONDS_MAX} s")
