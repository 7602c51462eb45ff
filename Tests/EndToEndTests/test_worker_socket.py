"""The worker socket through the `websockets` client: operations and their answers, commands, and executions that are
offered again when the process that was to run them is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any, Dict, Iterator, List

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from support.api import Api, fresh
from support.process import API_KEY, GatewayProcess
from support.sockets import Watcher
from support.tokens import token

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


@pytest.fixture(scope="module", params=["1", "4"])
def gateway(request, start) -> GatewayProcess:
    return start("--threads", request.param)


@pytest.fixture
def worker(gateway: GatewayProcess) -> Iterator[Worker]:
    with Worker(gateway, Authorization=f"Bearer {API_KEY}") as worker:
        yield worker


# Who may


def test_only_publishers_are_let_in(start_own) -> None:
    gateway = start_own(secured=True)
    for query, reason in (("", "Authentication failed"), (f"?token={token('alice')}", "Permission denied")):
        with Worker(gateway, query) as stranger:
            closed = stranger.closed()
            assert closed.rcvd and (closed.rcvd.code, closed.rcvd.reason) == (1008, reason)
    with Worker(gateway, f"?token={token('robot', role='publisher')}") as worker:
        assert worker.done("progress", task_id="t", progress=1)["offset"] == 1


def test_a_refusal_by_status(start_own) -> None:
    gateway = start_own("--reject-with", "http", secured=True)
    for query, status in (("", 401), (f"?token={token('alice')}", 403)):
        with pytest.raises(InvalidStatus) as caught:
            Worker(gateway, query)
        assert caught.value.response.status_code == status


# Operations


def test_answers_are_those_of_the_http_calls(gateway: GatewayProcess, api: Api, worker: Worker) -> None:
    task = fresh()
    made = worker.done("register", task_id=task, owner="alice", title="A report")
    assert {name: value for name, value in made.items() if name not in ("id", "ok")} == api.task(task)
    receipt = worker.done("progress", task_id=task, progress=40, message="四十")
    assert receipt == {"id": 2, "ok": True, "epoch": made["epoch"], "offset": 1, "cancel_requested": False}
    assert worker.done("heartbeat", task_id=task) == {"id": 3, "ok": True, "cancel_requested": False}
    assert worker.done("complete", task_id=task, result=[1]) == {
        "id": 4, "ok": True, "epoch": made["epoch"], "offset": 2,
    }  # fmt: skip
    refused = worker.ask("progress", task_id=task, progress=41)
    assert refused["ok"] is False and refused["error"]["code"] == "task_finished"
    assert refused["error"]["status"] == 409
    state = api.task(task)
    assert (state["status"], state["message"], state["result"]) == ("completed", "四十", [1])


def test_an_id_is_any_json_value(worker: Worker) -> None:
    for identifier in ('"a"', "1.50", '{"x":[null]}', "null"):
        worker.send(f'{{"id": {identifier}, "op": "heartbeat", "task_id": "ids"}}')
        assert worker.socket.recv(ANSWER_SECONDS_MAX).startswith(f'{{"id":{identifier},"ok":true')
    worker.send('{"op": "heartbeat", "task_id": "ids"}')
    assert worker.next() == {"id": None, "ok": True, "cancel_requested": False}
    worker.send("nonsense")
    assert worker.next()["error"]["code"] == "bad_request"


def test_a_task_s_operations_stay_in_order(gateway: GatewayProcess, worker: Worker) -> None:
    tasks = [fresh() for _ in range(5)]
    count = 500
    for number in range(count):
        worker.send({"id": number, "op": "progress", "task_id": tasks[number % 5], "progress": number % 100})
    offsets: Dict[int, List[int]] = {place: [] for place in range(5)}
    for _ in range(count):
        answer = worker.next()
        assert answer["ok"], answer
        offsets[answer["id"] % 5].append(answer["offset"])
    assert all(list(range(1, count // 5 + 1)) == seen for seen in offsets.values())


# Commands


def test_a_user_s_cancel_reaches_the_worker(gateway: GatewayProcess, worker: Worker, watch) -> None:
    task = fresh()
    worker.done("progress", task_id=task, progress=1)
    browser: Watcher = watch("/ws")
    browser.send({"action": "cancel", "user_id": "alice", "task_id": task, "reason": "enough"})
    assert worker.next() == {"type": "cancel_requested", "task_id": task, "user_id": "alice", "reason": "enough"}
    assert worker.done("progress", task_id=task, progress=2)["cancel_requested"] is True


def test_the_user_s_answer_reaches_who_watches(gateway: GatewayProcess, api: Api, worker: Worker, watch) -> None:
    task, user = fresh(), fresh("user")
    worker.done("watch", task_id=task)
    browser: Watcher = watch("/ws", subprotocols=["signalbox.v1"])
    browser.send({"action": "subscribe", "user_id": user})
    asked = api.confirmation(task_id=task, user_id=user)
    browser.next_of("task_step_result")
    browser.send({
        "action": "confirm", "callback_id": asked["callback_id"], "proceed": False, "feedback": {"why": "no"},
    })  # fmt: skip
    assert worker.next() == {
        "type": "confirmation_resolved", "task_id": task, "callback_id": asked["callback_id"], "status": "rejected",
        "proceed": False, "feedback": {"why": "no"}, "resolved_by": "user",
    }  # fmt: skip


# Executions


def test_an_execution_is_offered_run_and_seen(gateway: GatewayProcess, api: Api, worker: Worker, watch) -> None:
    worker.done("accept_executions", limit=1)
    created = api.post("/api/v1/executions", {"workflow_id": "report", "input_data": {"pages": 3}}).body
    offer = worker.next()
    assert offer == {"type": "execution_created", **created, "workflow_id": "report", "input_data": {"pages": 3}}
    name = offer["execution_id"]
    browser: Watcher = watch(f"/api/v1/ws/executions/{name}")
    assert browser.next()["status"] == "pending"
    worker.done("progress", task_id=name, progress=50)
    assert browser.next()["status"] == "running"
    worker.done("complete", task_id=name, result={"url": "/r"})
    assert browser.next()["result"] == {"url": "/r"}
    worker.done("accept_executions", limit=0)


PROCESS = """
import json, sys
from websockets.sync.client import connect
with connect(sys.argv[1], additional_headers={"Authorization": "Bearer " + sys.argv[2]}, proxy=None) as socket:
    socket.send('{"id": 1, "op": "accept_executions", "limit": 10}')
    for text in socket:
        print(text, flush=True)
        message = json.loads(text)
        if message.get("type") == "execution_created" and message["workflow_id"] == "begun":
            socket.send(json.dumps({"id": 2, "op": "progress", "task_id": message["execution_id"], "progress": 1}))
"""


def test_what_a_killed_worker_had_not_begun_is_offered_again(gateway: GatewayProcess, api: Api) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS, gateway.websocket_url + PATH, API_KEY], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        assert json.loads(next(lines)) == {"id": 1, "ok": True}
        names = {
            workflow: api.post("/api/v1/executions", {"workflow_id": workflow}).body["execution_id"]
            for workflow in ("begun", "waiting")
        }
        messages = [json.loads(next(lines)) for _ in range(3)]
        assert {message.get("execution_id") for message in messages} == {*names.values(), None}
        assert any(message.get("id") == 2 and message["ok"] for message in messages)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with Worker(gateway, Authorization=f"Bearer {API_KEY}") as worker:
        worker.done("accept_executions", limit=10)
        offer = worker.next()
        assert (offer["type"], offer["execution_id"]) == ("execution_created", names["waiting"])
        worker.done("complete", task_id=names["waiting"])
        # The other one was begun: what has become of its worker is for its lease to tell.
        assert api.task(names["begun"])["status"] == "running"
        api.complete(names["begun"])


def test_the_metrics_know_workers(gateway: GatewayProcess, api: Api, worker: Worker) -> None:
    worker.done("heartbeat", task_id=fresh())
    page = api.get("/metrics").content.decode()
    assert 'signalbox_connections{endpoint="worker"} 1\n' in page
    assert "signalbox_executions_waiting 0\n" in page
