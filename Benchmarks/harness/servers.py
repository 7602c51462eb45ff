"""The servers under measurement. A peer is one more entry in SERVERS (its command line) and a conformance of `Target`
in Sources/Load/Target.swift (its protocol), named by `target`."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import random
import resource
import signal
import socket
import subprocess
import tempfile
import time

BENCHMARKS = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
BUILT = BENCHMARKS / ".build" / "release"
PEERS = BENCHMARKS / "Peers"
PEERS_BUILT = PEERS / ".build"
PEERS_PYTHON = PEERS / ".venv" / "bin" / "python"
# Written by Peers/install once every package is there.
PEERS_PYTHON_INSTALLED = PEERS / ".venv" / "installed"
NCHAN_MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
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
    # What must exist for it to run, for servers that this repository does not build.
    needs: tuple[pathlib.Path, ...] = ()

    @property
    def is_installed(self) -> bool:
        return all(path.exists() for path in self.needs)


def signalbox(threads: int) -> tuple[str, ...]:
    """Quiet and without surprises: no heartbeat falls into a measured stretch, nothing is written to a disk."""
    return (
        str(ROOT / ".build" / "release" / "signalbox"), "serve", "--dev", "--port", "{port}",
        "--threads", str(threads), "--store", "memory", "--ping-interval", "3600", "--log-level", "warning",
    )


def python_peer(name: str, label: str, *arguments: str) -> Server:
    return Server(name, label, "peer", (str(PEERS_PYTHON), *arguments), needs=(PEERS_PYTHON_INSTALLED,))


def built_peer(name: str, label: str, binary: str, *options: str) -> Server:
    path = PEERS_BUILT / binary
    return Server(name, label, "peer", (str(path), "{port}", *options), needs=(path,))


def foreign_peer(name: str, label: str, variable: str, *options: str) -> Server:
    """One that nothing here builds: the variable names its binary, which takes the port as its first argument."""
    path = pathlib.Path(os.environ.get(variable) or f"/nonexistent/{variable}")
    return Server(name, label, "peer", (f"${variable}", "{port}", *options), needs=(path,))


PYTHON_SERVERS = PEERS / "python"
# Configured as their documentation advises: Peers/README.md.
PEER_SERVERS = (
    built_peer("uwebsockets", "uWebSockets, by socketify's library", "uwebsockets-server"),
    built_peer("uwebsockets-deflate", "uWebSockets, compressing", "uwebsockets-server", "--deflate"),
    foreign_peer("uwebsockets-epoll", "uWebSockets, its own epoll loop", "SIGNALBOX_BENCH_UWEBSOCKETS"),
    foreign_peer("uwebsockets-epoll-deflate", "uWebSockets, its own epoll loop, compressing",
                 "SIGNALBOX_BENCH_UWEBSOCKETS", "--deflate"),
    Server("nchan", "nginx with Nchan", "nchan", (str(PEERS / "nchan" / "run"), "{port}"), needs=(NCHAN_MODULE,)),
    Server("nchan-deflate", "nginx with Nchan, compressing", "nchan", (str(PEERS / "nchan" / "run"), "{port}", "on"),
           needs=(NCHAN_MODULE,)),
    built_peer("libwebsockets", "libwebsockets", "libwebsockets-server"),
    built_peer("libwebsockets-deflate", "libwebsockets, compressing", "libwebsockets-server", "--deflate"),
    foreign_peer("swift-nio", "swift-nio", "SIGNALBOX_BENCH_SWIFT_NIO"),
    python_peer("picows", "picows", str(PYTHON_SERVERS / "picows_server.py"), "{port}"),
    python_peer("websockets", "Python websockets", str(PYTHON_SERVERS / "websockets_server.py"), "{port}"),
    python_peer("websockets-deflate", "Python websockets, compressing", str(PYTHON_SERVERS / "websockets_server.py"),
                "{port}", "--deflate"),
    python_peer(
        "fastapi", "FastAPI on uvicorn", "-m", "uvicorn", "--app-dir", str(PYTHON_SERVERS), "fastapi_server:app",
        "--host", "127.0.0.1", "--port", "{port}", "--backlog", "4096", "--log-level", "warning", "--no-access-log",
        "--ws-ping-interval", "3600"),
)

SERVERS = {
    server.name: server
    for server in (
        Server("ceiling", "ceiling: a C loop, one send per delivery", "ceiling", (str(BUILT / "ceiling"), "--port", "{port}")),
        Server("ceiling-batch", "ceiling: a C loop, one send per turn", "ceiling",
               (str(BUILT / "ceiling"), "--port", "{port}", "--batch")),
        Server("ceiling-uring", "ceiling: the sends of a turn submitted together through io_uring", "ceiling",
               (str(BUILT / "ceiling"), "--port", "{port}", "--uring")),
        Server("ceiling-batch-uring", "ceiling: one send per turn, submitted together through io_uring", "ceiling",
               (str(BUILT / "ceiling"), "--port", "{port}", "--batch", "--uring")),
        Server("ceiling-deflate", "ceiling: what it is given compressed, it sends so", "ceiling-deflate",
               (str(BUILT / "ceiling"), "--port", "{port}", "--deflate")),
        Server("signalbox", "Signalbox, one loop", "signalbox", signalbox(1), echo_options=("--echo",)),
        Server("signalbox-2", "Signalbox, two loops", "signalbox", signalbox(2), cores="0,1", echo_options=("--echo",)),
        *PEER_SERVERS,
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
        parts = (*server.command, *(server.echo_options if echoes else ()))
        command = [os.path.expandvars(part).format(port=self.port) for part in parts]
        self.command = [*pinned(server.cores), *command]
        # Peers take the limit as they find it; the gateway and the ceilings raise it themselves.
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
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
