"""The seeds' worker code, unchanged but for its import."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, Iterator

import pytest
from conftest import Answer, Double, Request, problem

from signalbox import Gateway, GatewayError
from signalbox.compat import task_progress
from signalbox.compat.aiecs import TaskStepResult, UserConfirmation, WebSocketManager
from signalbox.compat.task_progress import task_progress_manager, ws_notifier


@pytest.fixture
def default(double: Double) -> Iterator[Double]:
    task_progress.set_default_gateway(Gateway(double.url, "key"))
    yield double
    task_progress.set_default_gateway(None)


def test_the_progress_callback_of_the_seed(default: Double) -> None:
    def progress_callback(current: int, total: int) -> None:
        progress = int((current / total) * 100)
        ws_notifier.send_progress_update(
            task_id="task-1", progress=progress, current=current, total=total, message=f"处理中 {current}/{total}"
        )

    progress_callback(3, 5)
    assert default.last.path == "/api/v1/tasks/task-1/progress"
    assert default.last.body == {
        "progress": 60,
        "status": "processing",
        "current": 3,
        "total": 5,
        "message": "处理中 3/5",
    }


def test_the_ends_of_the_seed(default: Double) -> None:
    ws_notifier.send_task_complete("t", success=True, message="批量索引完成", result={"total": 5})
    assert default.last.body == {"success": True, "message": "批量索引完成", "result": {"total": 5}}
    ws_notifier.send_task_complete("t")
    assert default.last.body == {"success": True}
    ws_notifier.send_task_error("t", "索引失败: 数据库连接错误", {"traceback": "..."})
    assert default.last.body == {"error": "索引失败: 数据库连接错误", "details": {"traceback": "..."}}


def test_the_notifier_does_not_raise_without_a_gateway(nobody: str) -> None:
    notifier = task_progress.WebSocketNotifier(Gateway(nobody))
    assert notifier.send_progress_update("t", 1) is None
    assert notifier.send_task_complete("t") is None
    assert notifier.send_task_error("t", "boom") is None


def test_the_manager_is_asynchronous_and_makes_the_same_requests(default: Double) -> None:
    async def work() -> None:
        await task_progress_manager.send_progress_update("t", 10, message="m")
        await task_progress_manager.send_task_complete("t", False, "no")
        await task_progress_manager.send_task_error("t", "boom")
        await task_progress_manager.broadcast_to_task("t", {"type": "progress", "progress": 5, "current": 1})
        await task_progress_manager.broadcast_to_task("t", {"type": "complete", "result": [1]})
        await task_progress_manager.broadcast_to_task("t", {"type": "error", "error": "e"})
        await task_progress_manager.broadcast_to_task("t", {"type": "unheard of"})

    asyncio.run(work())
    assert [(request.path.rsplit("/", 1)[1], request.body) for request in default.requests] == [
        ("progress", {"progress": 10, "status": "processing", "message": "m"}),
        ("complete", {"success": False, "message": "no"}),
        ("error", {"error": "boom"}),
        ("progress", {"progress": 5, "status": "processing", "current": 1}),
        ("complete", {"success": True, "result": [1]}),
        ("error", {"error": "e"}),
    ]


def test_the_signatures_are_the_seeds() -> None:
    def parameters(function: Any) -> "list[str]":
        return [name for name in inspect.signature(function).parameters if name != "self"]

    assert parameters(task_progress.WebSocketNotifier.send_progress_update) == [
        "task_id",
        "progress",
        "status",
        "current",
        "total",
        "message",
        "details",
    ]
    assert parameters(WebSocketManager.notify_user)[:4] == ["step_result", "user_id", "task_id", "step"]
    assert parameters(WebSocketManager.send_heartbeat) == ["user_id", "task_id", "interval"]
    assert parameters(WebSocketManager.send_to_user) == ["user_id", "message"]
    assert parameters(WebSocketManager.__init__)[:2] == ["host", "port"]
    for name in ("start_server", "stop_server", "notify_user", "broadcast_message", "send_to_user", "send_heartbeat"):
        assert inspect.iscoroutinefunction(getattr(WebSocketManager, name)), name
    for name in ("get_connection_count", "get_status"):
        assert not inspect.iscoroutinefunction(getattr(WebSocketManager, name)), name


def status_of_the_gateway(request: Request) -> Answer:
    if request.path == "/api/v1/status":
        return 200, {"running": True, "host": "h", "port": 1, "active_connections": 7, "pending_callbacks": 2}
    return 200, {"connections": 7}


def test_a_manager_talks_to_the_gateway_at_its_host_and_port(double: Double) -> None:
    double.answer = status_of_the_gateway
    manager = WebSocketManager(host="0.0.0.0", port=double.port)

    async def work() -> None:
        server = await manager.start_server()
        assert server.is_serving()
        await manager.broadcast_message({"type": "system_notification"})
        await manager.send_to_user("user_123", {"type": "personal_notification"})
        assert manager.get_connection_count() == 7
        assert manager.get_status() == {
            "running": True,
            "host": "0.0.0.0",
            "port": double.port,
            "active_connections": 7,
            "pending_callbacks": 2,
        }
        await manager.stop_server()

    asyncio.run(work())
    assert [request.path for request in double.requests if request.method == "POST"] == [
        "/api/v1/broadcast",
        "/api/v1/users/user_123/messages",
    ]


def test_the_environments_gateway_wins_over_host_and_port(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    double.answer = status_of_the_gateway
    monkeypatch.setenv("SIGNALBOX_URL", double.url)
    assert WebSocketManager(host="python-middleware-api", port=8765).get_connection_count() == 7


def test_start_server_raises_when_no_gateway_answers(nobody: str) -> None:
    manager = WebSocketManager(gateway=Gateway(nobody))
    with pytest.raises(GatewayError):
        asyncio.run(manager.start_server())
    assert manager.get_status()["running"] is False
    assert manager.get_connection_count() == 0


def test_the_confirmation_of_the_seed(double: Double) -> None:
    double.answer = lambda request: (
        201,
        {"callback_id": "c", "status": "confirmed", "proceed": True, "feedback": "Agree", "resolved_by": "user"},
    )

    async def work() -> UserConfirmation:
        ws_manager = WebSocketManager(host="127.0.0.1", port=double.port)
        step_result = TaskStepResult(
            step="data_validation",
            result={"validated_rows": 1000, "errors": 5},
            completed=True,
            message="Data validation completed, found 5 errors",
            status="completed",
        )
        return await ws_manager.notify_user(step_result=step_result, user_id="user_123", task_id="task_456", step=1)

    confirmation = asyncio.run(work())
    assert confirmation.proceed
    assert confirmation.feedback == "Agree"


def test_heartbeats_go_on_until_the_task_is_at_its_end(double: Double) -> None:
    beats = 0

    def answer(request: Request) -> Answer:
        nonlocal beats
        if request.path.endswith("/heartbeat"):
            beats += 1
            return (200, {"cancel_requested": False}) if beats < 3 else problem(409, "task_finished")
        return 200, {"task_id": "t", "status": "completed"}

    double.answer = answer
    manager = WebSocketManager(gateway=Gateway(double.url))
    asyncio.run(asyncio.wait_for(manager.send_heartbeat("u", "t", interval=0.01), timeout=5))
    assert beats == 3
    assert double.requests[0].body == {"user_id": "u"}


def test_a_heartbeat_is_cancelled_like_any_task(double: Double) -> None:
    async def work() -> None:
        manager = WebSocketManager(gateway=Gateway(double.url))
        beating = asyncio.create_task(manager.send_heartbeat("u", "t", interval=0.01))
        while len(double.requests) < 3:
            await asyncio.sleep(0.005)
        beating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await beating

    asyncio.run(work())
