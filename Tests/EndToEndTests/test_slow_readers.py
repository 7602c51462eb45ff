"""Wire contract §4.5: a slow reader costs itself freshness, never others; memory is bounded."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import psutil
import pytest

from support.api import Api, fresh
from support.process import GatewayProcess
from support.raw import RawSocket, frame
from support.sockets import Watcher, eventually

TEXT = 1
EVENTS = 1500
RECEIVE_BUFFER_BYTE_COUNT = 32768
DETAILS = "x" * 8000


@pytest.fixture(scope="module")
def gateway(start: Any) -> GatewayProcess:
    return start("--send-buffer-bytes", "262144", "--history-events", "64")


class SlowReader(RawSocket):
    """A client of the action dialect with a small receive buffer that reads only when it is told to."""

    def __init__(self, gateway: GatewayProcess) -> None:
        super().__init__(gateway, receive_buffer_byte_count=RECEIVE_BUFFER_BYTE_COUNT)
        self.upgrade("/ws")

    def say(self, message: Dict[str, Any]) -> None:
        self.send(frame(TEXT, json.dumps(message).encode()))

    def next(self) -> Dict[str, Any]:
        opcode, payload = self.frame()
        assert opcode == TEXT, (opcode, payload)
        return json.loads(payload)


def publish(api: Api, task: str) -> None:
    for number in range(EVENTS):
        api.progress(task, number % 100, details=DETAILS)
    api.complete(task, result="the end")


def test_who_does_not_read_gets_the_newest_and_the_end_and_is_told_what_it_missed(
    gateway: GatewayProcess, api: Api
) -> None:
    task = fresh()
    with SlowReader(gateway) as slow:
        slow.say({"action": "subscribe", "task_id": task, "wait": True})
        assert slow.next()["type"] == "subscription_confirmed"
        publish(api, task)
        offset, skipped = 0, 0
        while True:
            event = slow.next()
            missed = event.get("skipped", 0)
            assert missed == event["offset"] - offset - 1, (offset, event["offset"], missed)
            assert "skipped" not in event or missed > 0, "skipped is left out when it is 0"
            offset, skipped = event["offset"], skipped + missed
            if event["type"] == "complete":
                break
        assert event["result"] == "the end" and offset == EVENTS + 1
        assert skipped > EVENTS // 2, "most of 12 MB do not fit a quarter of one"
        slow.say({"action": "ping"})
        assert slow.next()["type"] == "pong"


def test_the_others_get_everything_meanwhile(gateway: GatewayProcess, api: Api, watch: Any) -> None:
    task = fresh()
    slow_readers = [SlowReader(gateway) for _ in range(20)]
    for slow in slow_readers:
        slow.say({"action": "subscribe", "task_id": task, "wait": True})
        slow.next()
    fast = watch()
    fast.send({"action": "subscribe", "task_id": task, "wait": True})
    fast.next_of("subscription_confirmed")
    before = psutil.Process(gateway.identifier).memory_info().rss
    for number in range(1, 301):
        api.progress(task, number % 100, details=DETAILS)
        event = fast.next()
        assert event["offset"] == number and "skipped" not in event
    grown = psutil.Process(gateway.identifier).memory_info().rss - before
    assert grown < 16 << 20, f"20 stalled readers of 2.4 MB each cost {grown >> 20} MB"
    for slow in slow_readers:
        slow.socket.close()


def test_many_who_never_read_many_tasks_cost_little_and_get_every_end(gateway: GatewayProcess, api: Api) -> None:
    tasks = [fresh() for _ in range(8)]
    slow_readers = [SlowReader(gateway) for _ in range(40)]
    for slow in slow_readers:
        for task in tasks:
            slow.say({"action": "subscribe", "task_id": task, "wait": True})
        for _ in tasks:
            assert slow.next()["type"] == "subscription_confirmed"
    before = psutil.Process(gateway.identifier).memory_info().rss
    for number in range(150):
        for task in tasks:
            api.progress(task, number % 100, details=DETAILS)
    grown = psutil.Process(gateway.identifier).memory_info().rss - before
    assert grown < 16 << 20, f"40 readers that have 9.6 MB each to read cost {grown >> 20} MB"
    for task in tasks:
        api.complete(task)
    for slow in slow_readers:
        reached = {task: 0 for task in tasks}
        unfinished = set(tasks)
        while unfinished:
            event = slow.next()
            task = event["task_id"]
            assert event["offset"] == reached[task] + 1 + event.get("skipped", 0)
            reached[task] = event["offset"]
            if event["type"] == "complete":
                unfinished.remove(task)
        assert set(reached.values()) == {151}
        slow.socket.close()


def test_what_may_not_be_dropped_closes_who_does_not_read_with_1013(
    gateway: GatewayProcess, api: Api, watch: Any
) -> None:
    slow, fast = SlowReader(gateway), watch()
    fast.everything_so_far()
    before = api.status()["active_connections"]
    message = {"type": "notice", "text": "x" * 50_000}
    received: List[int] = []
    for number in range(200):
        api.post("/api/v1/broadcast", {**message, "n": number})
        received.append(fast.next()["n"])
    assert received == list(range(200))
    assert slow.close_frame() == (1013, "Slow consumer")
    slow.socket.close()
    eventually(lambda: api.status()["active_connections"] == before - 1)


def test_a_reader_of_the_task_dialect_gets_the_end_too(start_own: Any) -> None:
    gateway = start_own("--terminal-grace", "0.3")
    api = Api(gateway.url)
    task = fresh()
    api.register(task)
    with RawSocket(gateway, receive_buffer_byte_count=RECEIVE_BUFFER_BYTE_COUNT) as slow:
        slow.upgrade(f"/ws/task/{task}")
        publish(api, task)
        kinds = []
        while True:
            opcode, payload = slow.frame()
            if opcode == 8:
                assert int.from_bytes(payload[:2], "big") == 1000
                break
            kinds.append(json.loads(payload)["type"])
        assert kinds[0] == "connected" and kinds[-1] == "complete" and set(kinds[1:-1]) == {"progress"}


def test_a_reader_of_the_execution_dialect_gets_the_end_too(gateway: GatewayProcess, api: Api) -> None:
    task = fresh()
    api.register(task)
    with RawSocket(gateway, receive_buffer_byte_count=RECEIVE_BUFFER_BYTE_COUNT) as slow:
        slow.upgrade(f"/api/v1/ws/executions/{task}")
        for number in range(EVENTS):
            api.progress(task, number % 100, message=DETAILS)
        api.complete(task, result=7)
        last: Dict[str, Any] = {}
        while True:
            opcode, payload = slow.frame()
            if opcode == 8:
                assert int.from_bytes(payload[:2], "big") == 1000
                break
            last = json.loads(payload)
        assert (last["status"], last["result"]) == ("completed", 7)


def test_a_watcher_that_comes_and_goes_leaves_no_memory(gateway: GatewayProcess, api: Api) -> None:
    task = fresh()
    api.register(task)
    process = psutil.Process(gateway.identifier)

    def come_and_go(count: int) -> None:
        for _ in range(count):
            with Watcher(gateway.websocket_url + "/ws") as watcher:
                watcher.send({"action": "subscribe", "task_id": task})
                watcher.next_of("subscription_confirmed")

    come_and_go(100)
    before = process.memory_info().rss
    come_and_go(400)
    assert process.memory_info().rss - before < 2 << 20
