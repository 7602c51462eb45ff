"""Each call makes one request, of the shape that the wire contract names (§3.2)."""

from __future__ import annotations

from typing import Any, Callable, Dict

import pytest
from conftest import Double

from signalbox import Gateway


@pytest.mark.parametrize(
    ("call", "path", "body"),
    [
        (lambda g: g.progress("t", 40), "/api/v1/tasks/t/progress", {"progress": 40}),
        (
            lambda g: g.progress("t", 60, status="processing", current=3, total=5, message="处理中", details={"a": 1}),
            "/api/v1/tasks/t/progress",
            {
                "progress": 60,
                "status": "processing",
                "current": 3,
                "total": 5,
                "message": "处理中",
                "details": {"a": 1},
            },
        ),
        (lambda g: g.complete("t"), "/api/v1/tasks/t/complete", {"success": True}),
        (
            lambda g: g.complete("t", {"total": 5}, success=False, message="batch failed"),
            "/api/v1/tasks/t/complete",
            {"success": False, "message": "batch failed", "result": {"total": 5}},
        ),
        (
            lambda g: g.error("t", "boom", error_code="E1", details={"traceback": "…"}),
            "/api/v1/tasks/t/error",
            {"error": "boom", "error_code": "E1", "details": {"traceback": "…"}},
        ),
        (lambda g: g.error("t", ValueError("bad row")), "/api/v1/tasks/t/error", {"error": "bad row"}),
        (lambda g: g.error("t", ValueError()), "/api/v1/tasks/t/error", {"error": "ValueError()"}),
        (lambda g: g.heartbeat("t", user_id="u"), "/api/v1/tasks/t/heartbeat", {"user_id": "u"}),
        (lambda g: g.acknowledge_cancel("t"), "/api/v1/tasks/t/cancel/ack", {}),
        (
            lambda g: g.register("t", owner="u", viewers=("v",), title="T", metadata={"k": None}),
            "/api/v1/tasks",
            {"task_id": "t", "owner": "u", "viewers": ["v"], "title": "T", "metadata": {"k": None}},
        ),
        (lambda g: g.broadcast({"type": "notice"}), "/api/v1/broadcast", {"type": "notice"}),
        (lambda g: g.send_to_user("u", {"type": "hello"}), "/api/v1/users/u/messages", {"type": "hello"}),
    ],
)
def test_a_report_is_one_post(
    double: Double, gateway: Gateway, call: Callable[[Gateway], bool], path: str, body: Dict[str, Any]
) -> None:
    assert call(gateway) is True
    assert len(double.requests) == 1
    assert (double.last.method, double.last.path, double.last.body) == ("POST", path, body)
    assert double.last.headers["authorization"] == "Bearer key-1"
    assert double.last.headers["content-type"] == "application/json"


def test_an_identifier_is_one_path_segment_whatever_is_in_it(double: Double, gateway: Gateway) -> None:
    gateway.send_to_user("a/b?c=d e#ü", {})
    assert double.last.path == "/api/v1/users/a%2Fb%3Fc%3Dd%20e%23%C3%BC/messages"


def test_an_acknowledged_message_returns_whether_it_was_acknowledged(double: Double, gateway: Gateway) -> None:
    double.answer = lambda request: (200, {"connections": 1, "message_id": "m", "acked": True})
    assert gateway.send_to_user("u", {"a": 1}, requires_ack=True) is True
    assert double.last.path == "/api/v1/users/u/messages?requires_ack=1&wait=5"
    double.answer = lambda request: (200, {"connections": 0, "message_id": "m", "acked": False})
    assert gateway.send_to_user("u", {"a": 1}, requires_ack=True, ack_timeout=0.5) is False
    assert double.last.path == "/api/v1/users/u/messages?requires_ack=1&wait=0.5"


def test_a_snapshot_and_an_execution_are_returned(double: Double, gateway: Gateway) -> None:
    double.answer = lambda request: (200, {"task_id": "t", "status": "running"})
    assert gateway.snapshot("t")["status"] == "running"
    assert (double.last.method, double.last.path, double.last.content) == ("GET", "/api/v1/tasks/t", b"")
    double.answer = lambda request: (201, {"execution_id": "e", "id": "e", "status": "pending"})
    assert gateway.create_execution("w", {"input": "test"})["execution_id"] == "e"
    assert double.last.body == {"workflow_id": "w", "input_data": {"input": "test"}}


def test_a_thousand_reports_use_one_connection(double: Double, gateway: Gateway) -> None:
    for index in range(1000):
        assert gateway.progress("t", index % 101)
    assert double.connection_count == 1
    assert gateway.statistics.sent == 1000


def test_a_path_in_the_url_stands_before_every_path(double: Double) -> None:
    assert Gateway(double.url + "/gateway/").progress("t", 1)
    assert double.last.path == "/gateway/api/v1/tasks/t/progress"
    assert "authorization" not in double.last.headers


def test_the_environment_names_the_gateway(double: Double, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("SIGNALBOX_URL", double.url)
    monkeypatch.setenv("SIGNALBOX_API_KEY", "from-environment")
    Gateway.from_env().progress("t", 1)
    assert double.last.headers["authorization"] == "Bearer from-environment"
    monkeypatch.delenv("SIGNALBOX_API_KEY")
    (tmp_path / "key").write_text("from-file\n")
    monkeypatch.setenv("SIGNALBOX_API_KEY_FILE", str(tmp_path / "key"))
    Gateway.from_env().progress("t", 1)
    assert double.last.headers["authorization"] == "Bearer from-file"


@pytest.mark.parametrize("url", ["127.0.0.1:8765", "ws://127.0.0.1:8765", "http://", ""])
def test_a_url_that_is_none_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValueError, match="must be like http://127.0.0.1:8765"):
        Gateway(url)


def test_cancelled_is_answered_from_the_last_report(double: Double, gateway: Gateway) -> None:
    double.answer = lambda request: (202, {"epoch": "e", "offset": 1, "cancel_requested": False})
    gateway.progress("t", 1)
    assert gateway.cancelled("t") is False
    double.answer = lambda request: (202, {"epoch": "e", "offset": 2, "cancel_requested": True})
    gateway.progress("t", 2)
    assert gateway.cancelled("t") is True
    assert len(double.requests) == 2


def test_cancelled_asks_the_gateway_about_a_task_that_reported_nothing(double: Double, gateway: Gateway) -> None:
    double.answer = lambda request: (200, {"task_id": "t", "cancel_requested": True})
    assert gateway.cancelled("t") is True
    assert (double.last.method, double.last.path) == ("GET", "/api/v1/tasks/t")
