"""Wire contract §2.1: the task dialect, as the first seed's clients know it."""

from __future__ import annotations

import asyncio
import datetime
import json
import re
import threading
import time
from typing import Any, Dict

import pytest
import websockets

from support.api import Api, fresh
from support.process import GatewayProcess
from support.sockets import eventually
from support.tokens import token

TERMINAL_GRACE_SECONDS = 0.4


@pytest.fixture(scope="module")
def gateway(start: Any) -> GatewayProcess:
    return start("--terminal-grace", str(TERMINAL_GRACE_SECONDS), secured=True)


def path(task: str, **claims: Any) -> str:
    return f"/ws/task/{task}?token={token(**claims)}"


def without_timestamp(message: Dict[str, Any]) -> Dict[str, Any]:
    """The message, whose ``timestamp`` must be local ISO 8601 time with microseconds, without a zone, and now."""
    stamp = message["timestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", stamp), stamp
    assert abs((datetime.datetime.now() - datetime.datetime.fromisoformat(stamp)).total_seconds()) < 10
    return {name: value for name, value in message.items() if name != "timestamp"}


async def subscribe_task_progress(base: str, task_id: str, token: str):
    """The seed's client, word for word but for the address. 订阅任务进度"""
    uri = f"{base}/ws/task/{task_id}?token={token}"

    async with websockets.connect(uri) as websocket:
        print(f"Connected to task {task_id}")

        # 接收消息
        async for message in websocket:
            data = json.loads(message)
            print(f"Received: {data}")

            msg_type = data.get("type")

            if msg_type == "connected":
                print(f"Initial status: {data['current_status']}")
                print(f"Initial progress: {data['current_progress']}%")

            elif msg_type == "progress":
                progress = data["progress"]
                current = data.get("current")
                total = data.get("total")
                message = data.get("message", "")

                print(f"Progress: {progress}%")
                if current and total:
                    print(f"  {current}/{total}")
                if message:
                    print(f"  {message}")

            elif msg_type == "complete":
                print("Task completed!")
                print(f"Success: {data['success']}")
                print(f"Message: {data['message']}")
                if "result" in data:
                    print(f"Result: {data['result']}")
                break

            elif msg_type == "error":
                print(f"Task error: {data['error']}")
                break


def run_the_seeds_client(gateway: GatewayProcess, api: Api, task: str, work: Any, capsys: Any) -> "list[str]":
    """What the seed's client prints while ``work`` runs, its "Received" lines left out."""
    connections = api.status()["active_connections"]

    def publish() -> None:
        eventually(lambda: api.status()["active_connections"] > connections)
        work()

    publisher = threading.Thread(target=publish)
    publisher.start()
    asyncio.run(asyncio.wait_for(subscribe_task_progress(gateway.websocket_url, task, token()), 10))
    publisher.join()
    return [line for line in capsys.readouterr().out.splitlines() if not line.startswith("Received: ")]


def test_the_seeds_client_prints_a_task_from_beginning_to_end(
    gateway: GatewayProcess, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    task = fresh()
    api.register(task)

    def work() -> None:
        for current in range(1, 6):
            api.progress(task, current * 20, current=current, total=5, message=f"处理中 {current}/5")
        api.complete(task, message="批量索引完成", result={"total": 5, "success": 5, "failed": 0})

    assert run_the_seeds_client(gateway, api, task, work, capsys) == [
        f"Connected to task {task}",
        "Initial status: pending",
        "Initial progress: 0%",
        *(line for n in range(1, 6) for line in (f"Progress: {n * 20}%", f"  {n}/5", f"  处理中 {n}/5")),
        "Task completed!",
        "Success: True",
        "Message: 批量索引完成",
        "Result: {'total': 5, 'success': 5, 'failed': 0}",
    ]


def test_the_seeds_client_prints_the_error_of_a_task(
    gateway: GatewayProcess, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    task = fresh()
    api.progress(task, 30)
    printed = run_the_seeds_client(gateway, api, task, lambda: api.error(task, "索引失败: 数据库连接错误"), capsys)
    assert printed == [
        f"Connected to task {task}",
        "Initial status: processing",
        "Initial progress: 30%",
        "Task error: 索引失败: 数据库连接错误",
    ]


@pytest.mark.parametrize(
    ("report", "status", "progress"),
    [
        (None, "pending", 0),
        ({"progress": 30}, "processing", 30),
        ({"progress": 0.5, "status": "running"}, "processing", 0.5),
        ({"progress": 30, "status": "processing"}, "processing", 30),
        ({"progress": 30, "status": "indexing pages"}, "indexing pages", 30),
    ],
)
def test_connected_says_how_far_the_task_is(api: Api, watch: Any, report: Any, status: str, progress: float) -> None:
    task = fresh()
    api.register(task)
    if report:
        api.progress(task, **report)
    assert without_timestamp(watch(path(task)).next()) == {
        "type": "connected",
        "task_id": task,
        "message": f"已连接到任务 {task} 的进度推送",
        "current_status": status,
        "current_progress": progress,
    }


@pytest.mark.parametrize(
    ("report", "shown"),
    [
        ({"progress": 60}, {"progress": 60, "status": "processing"}),
        ({"progress": 33.5, "status": "running"}, {"progress": 33.5, "status": "processing"}),
        ({"progress": 1, "status": "indexing"}, {"progress": 1, "status": "indexing"}),
        (
            {"progress": 60, "current": 3, "total": 5, "message": "处理中 3/5", "details": {"page": [1, None]}},
            {
                "progress": 60,
                "status": "processing",
                "current": 3,
                "total": 5,
                "message": "处理中 3/5",
                "details": {"page": [1, None]},
            },
        ),
        ({"progress": 100}, {"progress": 100, "status": "processing"}),
        ({"progress": 0}, {"progress": 0, "status": "processing"}),
    ],
)
def test_progress_carries_what_was_reported_and_leaves_out_the_rest(
    api: Api, watch: Any, report: Dict[str, Any], shown: Dict[str, Any]
) -> None:
    task = fresh()
    api.register(task)
    watcher = watch(path(task))
    watcher.next_of("connected")
    api.progress(task, **report)
    assert without_timestamp(watcher.next()) == {"type": "progress", "task_id": task, **shown}


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        ({}, {"success": True, "message": "任务完成", "progress": 100}),
        ({"success": False}, {"success": False, "message": "任务失败", "progress": -1}),
        (
            {"success": True, "message": "批量索引完成", "result": {"total": 5, "details": [1, "二"]}},
            {
                "success": True,
                "message": "批量索引完成",
                "progress": 100,
                "result": {"total": 5, "details": [1, "二"]},
            },
        ),
        (
            {"success": False, "message": "no space", "result": []},
            {"success": False, "message": "no space", "progress": -1, "result": []},
        ),
    ],
)
def test_complete_always_has_a_message_and_a_progress(
    api: Api, watch: Any, end: Dict[str, Any], shown: Dict[str, Any]
) -> None:
    task = fresh()
    api.progress(task, 30)
    watcher = watch(path(task))
    watcher.next_of("connected")
    api.complete(task, **end)
    assert without_timestamp(watcher.next()) == {"type": "complete", "task_id": task, **shown}


@pytest.mark.parametrize("details", [None, {"traceback": "..."}])
def test_error_has_the_progress_minus_one(api: Api, watch: Any, details: Any) -> None:
    task = fresh()
    api.progress(task, 30)
    watcher = watch(path(task))
    watcher.next_of("connected")
    members = {} if details is None else {"details": details}
    api.error(task, "索引失败: 数据库连接错误", **members)
    assert without_timestamp(watcher.next()) == {
        "type": "error",
        "task_id": task,
        "error": "索引失败: 数据库连接错误",
        "progress": -1,
        **members,
    }


def test_a_cancelled_task_is_shown_as_not_completed(api: Api, watch: Any) -> None:
    task = fresh()
    api.progress(task, 30)
    watcher = watch(path(task))
    watcher.next_of("connected")
    api.cancel(task, reason="changed my mind")
    api.acknowledge_cancel(task)
    assert without_timestamp(watcher.next_of("complete")) == {
        "type": "complete",
        "task_id": task,
        "success": False,
        "message": "任务已取消",
        "progress": -1,
    }


@pytest.mark.parametrize(
    ("end", "status", "progress", "shown"),
    [
        (
            lambda api, task: api.complete(task, result=[1, 2]),
            "completed",
            100,
            {"type": "complete", "success": True, "message": "任务完成", "progress": 100, "result": [1, 2]},
        ),
        (
            lambda api, task: api.complete(task, success=False, message="no"),
            "failed",
            -1,
            {"type": "complete", "success": False, "message": "no", "progress": -1},
        ),
        (
            lambda api, task: api.error(task, "boom", details={"a": 1}),
            "failed",
            -1,
            {"type": "error", "error": "boom", "progress": -1, "details": {"a": 1}},
        ),
        (
            lambda api, task: (api.cancel(task), api.acknowledge_cancel(task)),
            "cancelled",
            -1,
            {"type": "complete", "success": False, "message": "任务已取消", "progress": -1},
        ),
    ],
    ids=["completed", "unsuccessful", "failed", "cancelled"],
)
def test_who_comes_after_the_end_is_told_the_end(
    api: Api, watch: Any, end: Any, status: str, progress: int, shown: Dict[str, Any]
) -> None:
    task = fresh()
    api.progress(task, 30)
    end(api, task)
    watcher = watch(path(task))
    connected = watcher.next()
    assert (connected["type"], connected["current_status"], connected["current_progress"]) == (
        "connected",
        status,
        progress,
    )
    assert without_timestamp(watcher.next()) == {"task_id": task, **shown}
    assert watcher.closed_next()[0] == 1000


def test_the_socket_stays_for_the_grace_after_the_end_and_is_closed_with_1000(api: Api, watch: Any) -> None:
    task = fresh()
    api.register(task)
    watcher = watch(path(task))
    watcher.next_of("connected")
    api.complete(task)
    watcher.next_of("complete")
    ended_at = time.monotonic()
    watcher.send("ping")
    assert watcher.next()["type"] == "pong"
    assert watcher.closed_next()[0] == 1000
    assert TERMINAL_GRACE_SECONDS - 0.2 < time.monotonic() - ended_at < TERMINAL_GRACE_SECONDS + 2


def test_every_watcher_of_a_task_gets_every_message(api: Api, watch: Any) -> None:
    task = fresh()
    api.register(task)
    watchers = [watch(path(task, sub=f"user-{number}")) for number in range(10)]
    for watcher in watchers:
        watcher.next_of("connected")
    for number in range(20):
        api.progress(task, number)
    api.complete(task)
    for watcher in watchers:
        assert [watcher.next()["progress"] for _ in range(20)] == list(range(20))
        assert watcher.next()["type"] == "complete"


@pytest.mark.parametrize("ping", ["ping", '{"type":"ping"}', '{"type": "ping", "at": 7}'])
def test_a_ping_is_answered_by_a_pong(api: Api, watch: Any, ping: str) -> None:
    task = fresh()
    api.register(task)
    watcher = watch(path(task))
    watcher.next_of("connected")
    assert without_timestamp(watcher.ask(ping)) == {"type": "pong"}


def test_anything_else_is_ignored(api: Api, watch: Any) -> None:
    task = fresh()
    api.register(task)
    watcher = watch(path(task))
    watcher.next_of("connected")
    for message in ("", "hello", "PING", "{", "{}", "[1]", "null", '"ping"', '{"type":"pong"}', '{"type":1}', b"\x00"):
        watcher.send(message)
    assert watcher.ask("ping")["type"] == "pong"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?token=",
        "?token=garbage",
        lambda: f"?token={token(secret='another-secret-of-thirty-two-bytes!')}",
        lambda: f"?token={token(exp=int(time.time()) - 3600)}",
        lambda: f"?token={token(exp=None)}",
        lambda: f"?token={token(nbf=int(time.time()) + 3600)}",
        lambda: f"?token={token(secret='', algorithm='none')}",
    ],
    ids=["none", "empty", "garbage", "forged", "expired", "everlasting", "not yet", "unsigned"],
)
def test_a_bad_token_is_refused(api: Api, watch: Any, query: Any) -> None:
    task = fresh()
    api.register(task)
    suffix = query() if callable(query) else query
    assert watch(f"/ws/task/{task}{suffix}").closed_next() == (1008, "Authentication failed")


def test_an_unknown_task_is_refused(watch: Any) -> None:
    assert watch(path(fresh())).closed_next() == (1008, "Task not found")


def test_another_users_task_is_refused(api: Api, watch: Any) -> None:
    task = fresh()
    api.register(task, owner="user-1", viewers=["user-2"])
    assert watch(path(task, sub="user-3")).closed_next() == (1008, "Permission denied")
    assert watch(path(task, sub="user-1")).next()["type"] == "connected"
    assert watch(path(task, sub="user-2")).next()["type"] == "connected"


def test_authentication_comes_before_everything_else(watch: Any) -> None:
    assert watch(f"/ws/task/{fresh()}?token=garbage").closed_next() == (1008, "Authentication failed")


def test_text_is_not_escaped(api: Api, watch: Any) -> None:
    task = fresh()
    api.register(task)
    watcher = watch(path(task))
    assert f"已连接到任务 {task} 的进度推送" in watcher.next_text()
    api.progress(task, 1, message="处理中 🚦 </script>")
    assert "处理中 🚦 </script>" in watcher.next_text()


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("completed", {"type": "complete", "success": True, "message": "done", "progress": 100}),
        ("failed", {"type": "error", "error": "done", "progress": -1}),
        ("cancelled", {"type": "complete", "success": False, "message": "任务已取消", "progress": -1}),
    ],
)
def test_a_terminal_word_in_a_progress_report_is_the_end(
    api: Api, watch: Any, word: str, shown: Dict[str, Any]
) -> None:
    task = fresh()
    api.register(task)
    watcher = watch(path(task))
    watcher.next_of("connected")
    api.progress(task, 50, status=word, message="done")
    assert without_timestamp(watcher.next()) == {"task_id": task, **shown}
    assert watcher.closed_next()[0] == 1000
    assert api.task(task)["status"] == word
