"""The servers under measurement. A peer is one more entry in SERVERS (its command line) and a conformance of `Target`
in Sources/Load/Target.swift (its protocol), named by `target`."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import random
import signal
import socket
import subprocess
import tempfile
import time

BENCHMARKS = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
BUILT = BENCHMARKS / ".build" / "release"
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 10


@dataclasses.dataclass(frozen=True)
class Server:
    name: str
    label: str
    # Which conformance of the load generator's `Target` speaks to it.
    target: str
    # `{port}` is replaced by a free one.
    command: tuple[str, ...]
    cores: str = "0"
    # What the command needs besides to send messages back.
    echo_options: tuple[str, ...] = ()


def signalbox(threads: int) -> tuple[str, ...]:
    """Quiet and without surprises: no heartbeat falls into a measured stretch, nothing is written to a disk."""
    return (
        str(ROOT / ".build" / "release" / "signalbox"), "serve", "--dev", "--port", "{port}",
        "--threads", str(threads), "--store", "memory", "--ping-interval", "3600", "--log-level", "warning",
    )


SERVERS = {
    server.name: server
    for server in (
        Server("ceiling", "ceiling: a C loop, one send per delivery", "ceiling", (str(BUILT / "ceiling"), "--port", "{port}")),
        Server("ceiling-batch", "ceiling: a C loop, one send per turn", "ceiling",
               (str(BUILT / "ceiling"), "--port", "{port}", "--batch")),
        Server("signalbox", "Signalbox, one loop", "signalbox", signalbox(1), echo_options=("--echo",)),
        Server("signalbox-2", "Signalbox, two loops", "signalbox", signalbox(2), cores="0,1", echo_options=("--echo",)),
    )
}


def free_port() -> int:
    """Below the ports that the kernel gives to clients: one of those may be taken before the server has started."""
    while True:
        port = random.randrange(20_000, 32_768)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Running:
    """A started server, as a context manager. `start_seconds` is from its start to its first accepted connection."""

    def __init__(self, server: Server, *, echoes: bool = False):
        self.server = server
        self.port = free_port()
        self.log = tempfile.TemporaryFile()
        command = [part.format(port=self.port) for part in (*server.command, *(server.echo_options if echoes else ()))]
        self.command = [*pinned(server.cores), *command]
        started = time.monotonic()
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log)
        try:
            self._await_listening(started)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        self.start_seconds = time.monotonic() - started

    def _await_listening(self, started: float) -> None:
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() - started > START_SECONDS_MAX:
                    raise SystemExit(f"{self.server.name} does not listen on {self.port}:\n{self.output()}") from None
                time.sleep(0.001)

    def output(self) -> str:
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4000:]

    def resident_bytes(self) -> int:
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def pinned(cores: str) -> list[str]:
    """The server has core 0 for itself and the load generator core 1, where there are two."""
    return ["taskset", "-c", cores] if (os.cpu_count() or 1) > 1 else []
