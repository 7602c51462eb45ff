"""WebSocket clients: Python's websockets, with a deadline on everything."""

from __future__ import annotations

import json
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

MESSAGE_SECONDS_MAX = 5.0


class Watcher:
    """One WebSocket connection that reads JSON. Everything it waits for has a deadline."""

    def __init__(
        self,
        url: str,
        *,
        subprotocols: Optional[Sequence[str]] = None,
        headers: Optional[Mapping[str, str]] = None,
        origin: Optional[str] = None,
        compression: Optional[str] = "deflate",
    ) -> None:
        self._opening = connect(
            url,
            subprotocols=[Subprotocol(each) for each in subprotocols] if subprotocols else None,
            additional_headers=dict(headers or {}),
            origin=origin,  # type: ignore[arg-type]
            compression=compression,
            open_timeout=MESSAGE_SECONDS_MAX,
            close_timeout=1,
            ping_interval=None,
            max_size=None,
            proxy=None,
        )
        self.connection: ClientConnection = self._opening.__enter__()

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self.connection.close()

    @property
    def subprotocol(self) -> Optional[str]:
        return self.connection.subprotocol

    def send(self, message: Any) -> None:
        self.connection.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    def next_text(self, seconds: float = MESSAGE_SECONDS_MAX) -> str:
        text = self.connection.recv(timeout=seconds)
        assert isinstance(text, str), f"a binary message: {text!r}"
        return text

    def next(self, seconds: float = MESSAGE_SECONDS_MAX) -> Dict[str, Any]:
        return json.loads(self.next_text(seconds))

    def next_of(self, kind: str, seconds: float = MESSAGE_SECONDS_MAX) -> Dict[str, Any]:
        """The next message of a type; others before it are passed over."""
        deadline = time.monotonic() + seconds
        passed = []
        while True:
            try:
                message = self.next(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                raise AssertionError(f"no {kind} message, but {passed}") from None
            if message.get("type") == kind:
                return message
            passed.append(message)

    def ask(self, message: Any) -> Dict[str, Any]:
        self.send(message)
        return self.next()

    def everything_so_far(self) -> List[Dict[str, Any]]:
        """What came before the answer to a ping sent now: an empty list shows that nothing did (action dialect).

        Two pings, one after the other: what a message sets off elsewhere may be answered after the first.
        """
        messages = []
        for _ in range(2):
            mark = f"mark-{time.monotonic_ns()}"
            self.send({"action": "ping", "mark": mark})
            while True:
                message = self.next()
                if message.get("type") == "pong" and message.get("original_data", {}).get("mark") == mark:
                    break
                messages.append(message)
        return messages

    def closed(self, seconds: float = MESSAGE_SECONDS_MAX) -> Tuple[int, str]:
        """The close code and reason with which the gateway ends this, after whatever messages."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.connection.recv(timeout=max(0.0, deadline - time.monotonic()))
            except ConnectionClosed as closed:
                assert closed.rcvd is not None, f"the connection broke without a close frame: {closed}"
                return closed.rcvd.code, closed.rcvd.reason
            except TimeoutError:
                raise AssertionError(f"the connection is still open after {seconds} s") from None

    def closed_next(self, seconds: float = MESSAGE_SECONDS_MAX) -> Tuple[int, str]:
        """As ``closed``, but no message may come before."""
        try:
            message = self.connection.recv(timeout=seconds)
        except ConnectionClosed as closed:
            assert closed.rcvd is not None, f"the connection broke without a close frame: {closed}"
            return closed.rcvd.code, closed.rcvd.reason
        raise AssertionError(f"a message instead of a close: {message!r}")


def eventually(condition: Callable[[], Any], seconds: float = MESSAGE_SECONDS_MAX) -> Any:
    """The first true value of ``condition``, asked until the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
