"""The gateway with a store, as the store's benchmarks start, stop and kill it."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import threading
import time

from .servers import ROOT, STOP_SECONDS_MAX, free_port, pinned

BINARY = ROOT / ".build" / "release" / "signalbox"
START_SECONDS_MAX = 60
MEMORY = "memory"


class Gateway:
    """A started gateway that has said that it listens."""

    def __init__(self, store: str, *, threads: int = 1, cores: str = "0", port: int | None = None):
        self.port = port or free_port()
        self.command = [
            *pinned(cores), str(BINARY), "serve", "--dev", "--port", str(self.port), "--threads", str(threads),
            "--store", store, "--ping-interval", "3600", "--log-level", "info", "--log-format", "json",
        ]
        self.lines: list[str] = []
        started = time.monotonic()
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._await_listening()
        self.start_seconds = time.monotonic() - started
        self.start_cpu_seconds = sum(self.thread_cpu_seconds())
        # Nobody else empties the pipe.
        self.reader = threading.Thread(target=self._read_on, daemon=True)
        self.reader.start()

    def _await_listening(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        for line in self.process.stderr:
            self.lines.append(line)
            if '"listening"' in line:
                return
            if time.monotonic() > deadline:
                break
        self.process.kill()
        self.process.wait()
        raise SystemExit(f"{' '.join(self.command)} does not listen:\n{''.join(self.lines)}")

    def _read_on(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line)

    def output(self) -> str:
        return "".join(self.lines)[-4000:]

    def thread_cpu_seconds(self) -> list[float]:
        """Of each thread, in the order of their starts; exact for those that wait."""
        found = []
        for entry in sorted(os.scandir(f"/proc/{self.process.pid}/task"), key=lambda entry: int(entry.name)):
            try:
                found.append(int(pathlib.Path(entry.path, "schedstat").read_text().split()[0]) / 1e9)
            except FileNotFoundError:
                pass  # ended meanwhile
        return found

    def resident_bytes(self) -> int:
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def stop(self) -> None:
        """In order; everything is in the file afterwards."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS_MAX + 30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise SystemExit(f"{' '.join(self.command)} has not stopped\n{self.output()}") from None

    def kill(self) -> None:
        """As `kill -9` does."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
