"""A worker's socket: Python's websockets, with a deadline on everything."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from .process import GatewayProcess

PATH = "/api/v1/ws/workers"
ANSWER_SECONDS_MAX = 5.0


class Worker:
    """A worker's connection; answers and commands in the order in which they come."""

    def __init__(self, gateway: GatewayProcess, query: str = "", **headers: str) -> None:
        self._opening = connect(
            gateway.websocket_url + PATH + query, additional_headers=headers, max_size=None, close_timeout=1,
            proxy=None,
        )
        self.socket: ClientConnection = self._opening.__enter__()
        self._number = 0
        self._commands: List[Dict[str, Any]] = []

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._opening.__exit__(*exception)

    def send(self, message: Any) -> None:
        self.socket.send(message if isinstance(message, str) else json.dumps(message))

    def next(self) -> Dict[str, Any]:
        return self._commands.pop(0) if self._commands else self._receive()

    def _receive(self) -> Dict[str, Any]:
        return json.loads(self.socket.recv(ANSWER_SECONDS_MAX))

    def ask(self, op: str, **members: Any) -> Dict[str, Any]:
        """The operation's answer. Commands come from other threads, and may come before it: `next` gives them."""
        self._number += 1
        self.send({"id": self._number, "op": op, **members})
        answer = self._receive()
        while "ok" not in answer:
            self._commands.append(answer)
            answer = self._receive()
        assert answer["id"] == self._number, answer
        return answer

    def done(self, op: str, **members: Any) -> Dict[str, Any]:
        answer = self.ask(op, **members)
        assert answer["ok"] is True, answer
        return answer

    def closed(self) -> ConnectionClosed:
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                self.next()
        return caught.value
