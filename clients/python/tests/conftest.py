"""A double of the gateway: an HTTP server of the standard library that answers as told and remembers what it got."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest

from signalbox import Gateway


@dataclass
class Request:
    method: str
    path: str
    headers: Dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


Answer = Tuple[int, Any]


class Double:
    """Answers every request with ``answer(request)``, a status and a JSON value (or bytes, sent as they are)."""

    def __init__(self) -> None:
        self.requests: List[Request] = []
        self.connection_count = 0
        self.answer: Callable[[Request], Answer] = lambda request: (202, {"epoch": "e", "offset": 1})
        double = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                double.connection_count += 1
                super().setup()

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (ConnectionError, ValueError):
                    self.close_connection = True

            def reply(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, content)
                double.requests.append(request)
                status, value = double.answer(request)
                payload = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_DELETE = reply

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Request:
        return self.requests[-1]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def double() -> Iterator[Double]:
    double = Double()
    yield double
    double.stop()


@pytest.fixture
def gateway(double: Double) -> Gateway:
    return Gateway(double.url, "key-1", timeout=1.0)


@pytest.fixture
def strict_gateway(double: Double) -> Gateway:
    return Gateway(double.url, "key-1", timeout=1.0, strict=True)


@pytest.fixture
def nobody() -> Iterator[str]:
    """A url at which nobody listens: the port is taken, but not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """A url that accepts connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIGNALBOX_URL", "SIGNALBOX_API_KEY", "SIGNALBOX_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


def problem(status: int, code: str, detail: Optional[str] = None) -> Answer:
    return status, {
        "type": f"urn:signalbox:problem:{code}",
        "code": code,
        "title": code,
        "status": status,
        "detail": detail or code,
    }
