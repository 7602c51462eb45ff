"""The real binary as a child process on a free port."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time
from typing import Dict, List, Mapping, Optional, Tuple

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
START_SECONDS_MAX = 10.0
STOP_SECONDS_MAX = 10.0
API_KEY = "a-publisher-key-for-tests"
JWT_SECRET = "a-secret-of-at-least-thirty-two-bytes"

_URL = re.compile(r"http://([0-9A-Za-z.\[\]:-]+?):(\d+)")
_PORT = re.compile(r"\bport\W{1,4}(\d+)", re.IGNORECASE)


def binary() -> str:
    """The gateway under test: SIGNALBOX_BINARY, or the release build, or the debug build."""
    named = os.environ.get("SIGNALBOX_BINARY")
    if named:
        return named
    for configuration in ("release", "debug"):
        path = REPOSITORY / ".build" / configuration / "signalbox"
        if path.exists():
            return str(path)
    raise AssertionError("no gateway to test: run make build, or set SIGNALBOX_BINARY")


def clean_environment(extra: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """This process's environment without what would configure a gateway."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WEBSOCKET_", "SIGNALBOX_"))}
    kept.update(extra or {})
    return kept


def run_to_end(
    *arguments: str, environment: Optional[Mapping[str, str]] = None, stdin: str = "", seconds: float = 10.0
) -> "subprocess.CompletedProcess[str]":
    """Runs a command of the binary that ends by itself."""
    with tempfile.TemporaryDirectory(prefix="signalbox-") as directory:
        return subprocess.run(
            [binary(), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=directory,
            env=clean_environment(environment),
        )


class GatewayProcess:
    """One running gateway. ``stop`` ends it by its own process id and checks that it went in peace."""

    def __init__(
        self,
        *flags: str,
        environment: Optional[Mapping[str, str]] = None,
        directory: Optional[str] = None,
        wrapper: Tuple[str, ...] = (),
    ) -> None:
        self._own_directory = None if directory else tempfile.TemporaryDirectory(prefix="signalbox-")
        self.directory = directory or self._own_directory.name  # type: ignore[union-attr]
        self._process = subprocess.Popen(
            [*wrapper, binary(), *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            env=clean_environment(environment),
        )
        self.lines: List[str] = []
        self._listening = threading.Event()
        self._ended = threading.Event()
        self.host, self.port = "", 0
        self._reader = threading.Thread(target=self._read_standard_error, daemon=True)
        self._reader.start()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._listening.wait(0.05):
            if self._ended.is_set() or time.monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                raise AssertionError("the gateway did not say where it listens:\n" + "\n".join(self.lines))

    @property
    def identifier(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://{self.host}:{self.port}"

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def _read_standard_error(self) -> None:
        assert self._process.stderr is not None
        for raw in self._process.stderr:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.lines.append(line)
            if not self._listening.is_set():
                address = listening_address(line)
                if address:
                    self.host, self.port = address
                    self._listening.set()
        self._ended.set()

    def stop(self, *, expect_success: bool = True) -> None:
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                raise AssertionError("the gateway did not end after SIGTERM:\n" + self.tail()) from None
            finally:
                self._clean_up()
        else:
            self._clean_up()
        if expect_success and self._process.returncode != 0:
            raise AssertionError(f"the gateway ended with status {self._process.returncode}:\n{self.tail()}")

    def kill(self) -> None:
        """As a crash would."""
        self._process.kill()
        self._process.wait()
        self._clean_up()

    def tail(self) -> str:
        return "\n".join(self.lines[-40:])

    def _clean_up(self) -> None:
        self._reader.join(2)
        assert self._process.stderr is not None
        self._process.stderr.close()
        if self._own_directory is not None:
            self._own_directory.cleanup()
            self._own_directory = None


def listening_address(line: str) -> Optional[Tuple[str, int]]:
    """Where a line of the log says that the gateway listens, if it does."""
    url = _URL.search(line)
    if url:
        return url.group(1), int(url.group(2))
    if "listen" not in line.lower():
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if isinstance(entry, dict) and isinstance(entry.get("port"), int):
        return str(entry.get("host", "127.0.0.1")), entry["port"]
    port = _PORT.search(line)
    return ("127.0.0.1", int(port.group(1))) if port else None
