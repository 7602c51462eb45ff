"""Wire contract §2.4 and §3.1: a gateway that stops says so to everyone it serves."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any, Dict

import pytest

from support.api import Api, fresh
from support.process import GatewayProcess
from support.raw import RawSocket
from support.sockets import Watcher


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


def test_a_draining_gateway_is_not_ready_and_stays_alive(start_own: Any) -> None:
    gateway = start_own("--drain-timeout", "3")
    with Watcher(gateway.websocket_url) as watcher, RawSocket(gateway) as raw:
        watcher.everything_so_far()
        raw.send(b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert raw.answer()[0] == 200
        ask_to_stop(gateway)
        statuses = set()
        try:
            while 503 not in statuses:
                raw.send(b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n")
                statuses.add(raw.answer()[0])
        except (EOFError, ConnectionError):
            pytest.fail(f"the connection of the load balancer ended before readyz said 503: {statuses}")
        watcher.closed()


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
    answers = []
    body: Dict[str, Any] = {
        "task_id": "t",
        "user_id": "u",
        "step": 1,
        "step_result": {"step": "s", "message": "m", "status": "x"},
    }
    with Watcher(gateway.websocket_url) as watcher:
        asking = threading.Thread(
            target=lambda: answers.append(Api(gateway.url).post("/api/v1/confirmations?wait=25", body))
        )
        asking.start()
        watcher.next_of("task_step_result")
        ask_to_stop(gateway)
        asking.join(8)
    assert not asking.is_alive(), "the held request hung beyond the drain"
    if answers:
        assert (answers[0].status, json.loads(answers[0].content).get("status")) in ((201, "pending"), (503, 503))
