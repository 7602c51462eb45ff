"""notify_user asks once and waits in held requests until somebody, or the deadline, has answered."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Dict, List

import pytest
from conftest import Answer, Double, Request, problem

from signalbox import Gateway, GatewayError, TaskStepResult, UserConfirmation
from signalbox import gateway as gateway_module

STEP = TaskStepResult(step="validate", result={"rows": 10}, completed=True, message="go on?", status="completed")


def outcome(status: str, **members: Any) -> Dict[str, Any]:
    base = {"callback_id": "c-1", "status": status, "deadline": 1.0, "proceed": None, "feedback": None}
    return {**base, "resolved_by": None, **members}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "POLL_PAUSE_SECONDS_MIN", 0.01)
    monkeypatch.setattr(gateway_module, "POLL_PAUSE_SECONDS_MAX", 0.02)
    monkeypatch.setattr(gateway_module, "ANSWER_GRACE_SECONDS", 0.2)


def answers(double: Double, *sequence: Answer) -> None:
    remaining: List[Answer] = list(sequence)
    double.answer = lambda request: remaining.pop(0) if len(remaining) > 1 else remaining[0]


def test_the_question_has_every_field(double: Double, gateway: Gateway) -> None:
    answers(double, (201, outcome("confirmed", proceed=True, feedback="fine", resolved_by="user")))
    answer = gateway.notify_user(STEP, "u", "t", 1, timeout=60, default_proceed=False)
    assert answer == UserConfirmation(True, "fine")
    assert answer.resolved_by == "user"
    assert double.last.path == "/api/v1/confirmations"
    assert double.last.body == {
        "task_id": "t",
        "user_id": "u",
        "step": 1,
        "step_result": {
            "step": "validate",
            "result": {"rows": 10},
            "completed": True,
            "message": "go on?",
            "status": "completed",
            "error_code": None,
            "error_message": None,
        },
        "timeout": 60,
        "default_proceed": False,
    }


def test_it_asks_until_somebody_has_answered(double: Double, gateway: Gateway) -> None:
    pending = outcome("pending")
    answers(double, (201, pending), (200, pending), (200, outcome("rejected", proceed=False, resolved_by="user")))
    answer = gateway.notify_user(STEP, "u", "t", 1)
    assert (answer.proceed, answer.resolved_by) == (False, "user")
    assert [(request.method, request.path) for request in double.requests] == [
        ("POST", "/api/v1/confirmations"),
        ("GET", "/api/v1/confirmations/c-1?wait=25"),
        ("GET", "/api/v1/confirmations/c-1?wait=25"),
    ]


def test_the_gateways_deadline_and_default_are_taken(double: Double, gateway: Gateway) -> None:
    answers(double, (201, outcome("timed_out", proceed=True, resolved_by="timeout")))
    assert gateway.notify_user(STEP, "u", "t", 1).resolved_by == "timeout"


def test_a_withdrawn_question_does_not_proceed(double: Double, gateway: Gateway) -> None:
    answers(double, (201, outcome("withdrawn", proceed=None, resolved_by="withdrawn")))
    answer = gateway.notify_user(STEP, "u", "t", 1)
    assert (answer.proceed, answer.resolved_by) == (False, "withdrawn")


def test_a_gateway_that_restarts_meanwhile_is_asked_again(double: Double, gateway: Gateway) -> None:
    answers(
        double,
        (201, outcome("pending")),
        problem(503, "draining"),
        (500, b""),
        problem(429, "rate_limited"),
        (200, outcome("confirmed", proceed=True, resolved_by="user")),
    )
    assert gateway.notify_user(STEP, "u", "t", 1).resolved_by == "user"
    assert [request.method for request in double.requests] == ["POST", "GET", "GET", "GET", "GET"]


def test_a_refused_question_takes_the_default_at_once(
    double: Double, gateway: Gateway, strict_gateway: Gateway
) -> None:
    answers(double, problem(409, "task_finished"))
    assert gateway.notify_user(STEP, "u", "t", 1).resolved_by == "unreachable"
    assert len(double.requests) == 1
    with pytest.raises(GatewayError, match="task_finished"):
        strict_gateway.notify_user(STEP, "u", "t", 1)


def test_a_gateway_that_forgot_the_question_is_not_asked_for_ever(double: Double, gateway: Gateway) -> None:
    answers(double, (201, outcome("pending")), problem(404, "not_found"))
    assert gateway.notify_user(STEP, "u", "t", 1, default_proceed=False).proceed is False
    assert len(double.requests) == 2


def test_a_question_that_stays_open_past_its_deadline_takes_the_default(double: Double, gateway: Gateway) -> None:
    answers(double, (201, outcome("pending")))
    begun = time.monotonic()
    assert gateway.notify_user(STEP, "u", "t", 1, timeout=0.2).resolved_by == "unreachable"
    assert 0.3 < time.monotonic() - begun < 3.0


@pytest.mark.parametrize("answer", [b"[]", b"null", b'{"status":"pending"}'])
def test_an_answer_that_is_none_takes_the_default(double: Double, gateway: Gateway, answer: bytes) -> None:
    answers(double, (201, answer))
    assert gateway.notify_user(STEP, "u", "t", 1).resolved_by == "unreachable"


def test_step_results_of_other_kinds_are_taken(double: Double, gateway: Gateway) -> None:
    class Model:
        def model_dump(self) -> Dict[str, Any]:
            return {"step": "s", "message": "m", "status": "x"}

    class OldModel:
        def dict(self) -> Dict[str, Any]:
            return {"step": "s", "message": "m", "status": "x"}

    answers(double, (201, outcome("confirmed", proceed=True)))
    for step_result in (Model(), OldModel(), {"step": "s", "message": "m", "status": "x"}):
        gateway.notify_user(step_result, "u", "t", 1)
        assert double.last.body["step_result"] == {"step": "s", "message": "m", "status": "x"}
    with pytest.raises(TypeError, match="must be a TaskStepResult"):
        gateway.notify_user(42, "u", "t", 1)


def test_models_have_the_methods_of_the_models_they_stand_for() -> None:
    assert (
        UserConfirmation(True).dict()
        == UserConfirmation(proceed=True).model_dump()
        == {
            "proceed": True,
            "feedback": None,
        }
    )
    assert UserConfirmation(True, resolved_by="timeout") == UserConfirmation(True)
    assert TaskStepResult("s", message="m", status="ok").model_dump()["error_code"] is None


def test_many_questions_wait_at_once(double: Double) -> None:
    from signalbox.compat.aiecs import WebSocketManager

    waiting = 0

    def answer(request: Request) -> Answer:
        nonlocal waiting
        waiting += 1
        deadline = time.monotonic() + 5
        while waiting < 40 and time.monotonic() < deadline:
            time.sleep(0.005)
        return 201, outcome("confirmed", proceed=waiting >= 40, resolved_by="user")

    double.answer = answer
    manager = WebSocketManager(gateway=Gateway(double.url))

    async def ask() -> List[UserConfirmation]:
        return await asyncio.gather(*(manager.notify_user(STEP, "u", f"t-{n}", 1) for n in range(40)))

    assert all(answer.proceed for answer in asyncio.run(ask()))
