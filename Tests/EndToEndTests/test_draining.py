"""Wire contract §2.4 and §3.1: a gateway that stops says so to everyone it serves."""

from __future__ import annotations

import signal
import threading
from typing import Any, Dict, List, Optional

import pytest

from support.api import Api, fresh
from support.process import GatewayProcess
from support.raw import RawSocket
from support.sockets import Watcher, eventually


def ask_to_stop(gateway: GatewayProcess) -> None:
    gateway._process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("path", ["/ws", "/ws/task/t", "/api/v1/ws/executions/t"])
def test_every_connection_is_closed_with_1012(start_own: Any, path: str) -> None:
    gateway = start_own("--drain-timeout", "1")
    Api(gateway.url).register("t")
    with Watcher(gateway.websocket_url + path) as watcher:
        watcher.send('{"action":"ping","type":"ping"}')
        watcher.next()
        ask_to_stop(gateway)
        assert watcher.closed()[0] == 1012
    assert gateway._process.wait(5) == 0


def test_native_clients_are_told_when_to_come_back(start_own: Any) -> None:
    gateway = start_own("--drain-timeout", "1")
    with Watcher(gateway.websocket_url, subprotocols=["signalbox.v1"]) as watcher:
        watcher.next_of("welcome")
        ask_to_stop(gateway)
        message = watcher.next_of("server_draining")
        assert isinstance(message["reconnect_after"], (int, float)) and message["reconnect_after"] >= 0
        assert watcher.closed()[0] == 1012


def readiness(gateway: GatewayProcess) -> Optional[int]:
    """What ``/readyz`` says on a new connection; None when there is none to be had."""
    try:
        with RawSocket(gateway) as raw:
            raw.send(b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n")
            return raw.answer()[0]
    except (EOFError, OSError):
        return None


def test_a_draining_gateway_takes_nobody_new_and_serves_whom_it_has(start_own: Any) -> None:
    gateway = start_own("--drain-timeout", "3")
    with Watcher(gateway.websocket_url) as watcher:
        watcher.everything_so_far()
        assert readiness(gateway) == 200
        ask_to_stop(gateway)
        eventually(lambda: readiness(gateway) != 200)
        assert readiness(gateway) in (503, None)
        assert watcher.closed()[0] == 1012


def test_what_was_answered_before_the_end_was_delivered(start_own: Any) -> None:
    gateway = start_own("--drain-timeout", "1")
    api = Api(gateway.url)
    task = fresh()
    with Watcher(gateway.websocket_url) as watcher:
        watcher.send({"action": "subscribe", "task_id": task, "wait": True})
        watcher.next_of("subscription_confirmed")
        for number in range(50):
            api.progress(task, number)
        api.complete(task)
        ask_to_stop(gateway)
        assert [watcher.next()["offset"] for _ in range(51)] == list(range(1, 52))


def test_a_held_request_is_answered_when_the_gateway_goes(start_own: Any) -> None:
    gateway = start_own("--drain-timeout", "1")
    outcomes: List[Any] = []
    body: Dict[str, Any] = {
        "task_id": "t",
        "user_id": "u",
        "step": 1,
        "step_result": {"step": "s", "message": "m", "status": "x"},
    }

    def ask() -> None:
        try:
            answer = Api(gateway.url).post("/api/v1/confirmations?wait=25", body)
            outcomes.append((answer.status, answer.body["status"]))
        except Exception as error:
            outcomes.append(error)

    with Watcher(gateway.websocket_url) as watcher:
        asking = threading.Thread(target=ask)
        asking.start()
        watcher.next_of("task_step_result")
        ask_to_stop(gateway)
        asking.join(8)
    assert outcomes and outcomes[0] in ((201, "pending"), (503, 503)), outcomes
