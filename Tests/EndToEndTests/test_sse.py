"""Server-sent events through clients of others: urllib3 and curl read the stream. `test_chromium.py` has `EventSource`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from typing import List, Tuple

import pytest

from support.api import Api, fresh
from support.process import GatewayProcess
from support.sockets import Watcher
from support.stream import STREAM_SECONDS_MAX, Block, Stream
from support.tokens import token


@pytest.fixture(scope="module")
def gateway(start) -> GatewayProcess:
    return start()


def told(blocks: List[Block]) -> List[Tuple[str, int]]:
    return [(block["event"], int(block["id"].rpartition(":")[2])) for block in blocks]


def test_a_stream_tells_the_snapshot_then_every_event_and_ends(gateway: GatewayProcess, api: Api) -> None:
    task = fresh()
    api.progress(task, 20, message="一\n二")
    with Stream(gateway, task) as stream:
        assert stream.answer.status == 200
        assert stream.answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert stream.answer.headers["X-Accel-Buffering"] == "no"
        snapshot = stream.block()
        assert snapshot and snapshot["event"] == "snapshot"
        assert snapshot["data"] == api.task(task)
        assert api.status()["active_connections"] == 1
        # Each arrives when it is published: the next is published only after the last was read.
        for value in (21, 22):
            api.progress(task, value)
            block = stream.block()
            assert block and block["data"]["progress"] == value
            assert block["id"] == f"{snapshot['data']['epoch']}:{block['data']['offset']}"
        api.complete(task, result={"n": 1})
        assert told(stream.rest()) == [("complete", 4)]


def test_a_client_that_comes_back_misses_nothing(gateway: GatewayProcess, api: Api) -> None:
    task = fresh()
    api.progress(task, 1)
    with Stream(gateway, task) as stream:
        last = stream.block()["id"]
    for value in range(2, 6):
        api.progress(task, value)
    with Stream(gateway, task, Last_Event_ID=last) as stream:
        assert told([stream.block() for _ in range(4)]) == [("progress", offset) for offset in range(2, 6)]
        api.error(task, "no paper")
        (end,) = stream.rest()
        assert end["data"]["error"] == "no paper"
    assert Stream(gateway, task, Last_Event_ID=end["id"]).answer.status == 204
    assert told(Stream(gateway, task, Last_Event_ID="other:1").rest()) == [("snapshot", 6)]
    assert told(Stream(gateway, task, f"?last_event_id={last}").rest())[0] == ("progress", 2)


def test_a_silent_stream_shows_that_it_lives(start_own) -> None:
    gateway = start_own("--ping-interval", "1", "--ping-timeout", "0.5")
    Api(gateway.url).progress("silent", 1)
    with Stream(gateway, "silent") as stream:
        assert stream.block()
        lines = [next(stream._lines) for _ in range(6)]
        assert lines == [":", ""] * 3


def test_refusals_are_statuses(start_own) -> None:
    gateway = start_own("--max-connections", "1", secured=True)
    Api(gateway.url).register("owned", owner="alice")

    def refused(status: int, task: str = "owned", query: str = "", **headers: str) -> None:
        answer = Stream(gateway, task, query, **headers).answer
        assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
        assert (answer.headers.get("Retry-After") is not None) == (status == 503)
        answer.close()

    refused(401)
    refused(403, query=f"?token={token('mallory')}")
    refused(404, "unknown", query=f"?token={token('alice')}")
    refused(403, Authorization=f"Bearer {token('alice')}", Origin="http://elsewhere.example")
    with Stream(gateway, "owned", Authorization=f"Bearer {token('alice')}") as stream:
        assert stream.block()["event"] == "snapshot"
        refused(503, query=f"?token={token('alice')}")


def test_a_ticket_opens_one_stream(start_own) -> None:
    gateway = start_own(secured=True)
    api = Api(gateway.url)
    api.register("ticketed", owner="alice")
    ticket = api.post("/api/v1/tickets", {"user_id": "alice"}).body["ticket"]
    with Stream(gateway, "ticketed", f"?ticket={ticket}") as stream:
        assert stream.block()["event"] == "snapshot"
        assert Stream(gateway, "ticketed", f"?ticket={ticket}").answer.status == 401


def test_streams_and_sockets_of_a_task_see_the_same(gateway: GatewayProcess, api: Api, watch) -> None:
    task = fresh()
    api.progress(task, 1)
    socket: Watcher = watch("/ws")
    socket.send({"action": "subscribe", "task_id": task})
    assert socket.next()["type"] == "subscription_confirmed"
    with Stream(gateway, task) as stream:
        assert stream.block()
        api.progress(task, 50, details={"a": [1.0, 1e3]})
        api.complete(task)
        assert [block["data"] for block in stream.rest()] == [socket.next(), socket.next()]


def test_a_drain_ends_the_streams(start_own) -> None:
    gateway = start_own()
    Api(gateway.url).progress("drained", 1)
    with Stream(gateway, "drained") as stream:
        assert stream.block()
        os.kill(gateway.identifier, signal.SIGTERM)
        assert stream.rest() == []


def test_the_metrics_know_streams(gateway: GatewayProcess, api: Api) -> None:
    task = fresh()
    api.progress(task, 1)
    with Stream(gateway, task) as stream:
        assert stream.block()
        page = api.get("/metrics").content.decode()
        assert re.search(r'^signalbox_connections\{endpoint="sse"\} 1$', page, re.MULTILINE)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl_sees_each_event_at_once(gateway: GatewayProcess, api: Api) -> None:
    task = fresh()
    api.progress(task, 1)
    command = ["curl", "--silent", "--no-buffer", f"{gateway.url}/api/v1/sse/tasks/{task}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        assert curl.stdout
        lines = iter(curl.stdout.readline, "")
        assert next(line for line in lines if line.startswith("event:")) == "event: snapshot\n"
        api.complete(task)
        assert next(line for line in lines if line.startswith("event:")) == "event: complete\n"
        assert curl.wait(STREAM_SECONDS_MAX) == 0
