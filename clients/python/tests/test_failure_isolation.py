"""A report never harms the task: it does not raise, it takes bounded time, it is sent once."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import threading
import time
from typing import Callable

import pytest
from conftest import Answer, Double, Request, problem

from signalbox import Gateway, GatewayError, TaskStepResult

REPORTS = {
    "register": lambda g: g.register("t"),
    "progress": lambda g: g.progress("t", 1),
    "complete": lambda g: g.complete("t"),
    "error": lambda g: g.error("t", "boom"),
    "heartbeat": lambda g: g.heartbeat("t"),
    "broadcast": lambda g: g.broadcast({}),
    "send_to_user": lambda g: g.send_to_user("u", {}),
    "acknowledged": lambda g: g.send_to_user("u", {}, requires_ack=True, ack_timeout=0.1),
    "acknowledge_cancel": lambda g: g.acknowledge_cancel("t"),
}
every_report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS.keys())


@every_report
def test_a_report_to_nobody_returns_false(nobody: str, report: Callable[[Gateway], bool]) -> None:
    gateway = Gateway(nobody)
    assert report(gateway) is False
    assert gateway.statistics.failed == 1


@every_report
def test_a_report_to_a_silent_gateway_takes_at_most_the_timeout(silent: str, report: Callable[[Gateway], bool]) -> None:
    gateway = Gateway(silent, timeout=(0.1, 0.2))
    begun = time.monotonic()
    assert report(gateway) is False
    assert time.monotonic() - begun < 1.0


@every_report
@pytest.mark.parametrize(
    "answer", [problem(401, "unauthorized"), problem(409, "task_finished"), (500, b"<html>"), (200, b"<html>")]
)
def test_a_refused_report_returns_false_and_is_not_repeated(
    double: Double, gateway: Gateway, report: Callable[[Gateway], bool], answer: Answer
) -> None:
    double.answer = lambda request: answer
    assert report(gateway) is False
    assert len(double.requests) == 1


@every_report
def test_strict_raises_with_the_problems_code(
    double: Double, strict_gateway: Gateway, report: Callable[[Gateway], bool]
) -> None:
    double.answer = lambda request: problem(409, "task_finished", "task t is completed")
    with pytest.raises(GatewayError) as caught:
        report(strict_gateway)
    assert (caught.value.code, caught.value.status) == ("task_finished", 409)
    assert "task t is completed" in str(caught.value)


def test_strict_names_what_went_wrong_on_the_way(nobody: str, silent: str) -> None:
    with pytest.raises(GatewayError) as caught:
        Gateway(nobody, strict=True).progress("t", 1)
    assert (caught.value.code, caught.value.status) == ("unreachable", None)
    with pytest.raises(GatewayError) as caught:
        Gateway(silent, strict=True, timeout=0.1).progress("t", 1)
    assert caught.value.code == "timeout"


def test_questions_raise_because_they_have_nothing_else_to_return(double: Double, gateway: Gateway) -> None:
    double.answer = lambda request: problem(404, "task_not_found")
    with pytest.raises(GatewayError, match="task_not_found"):
        gateway.snapshot("t")
    double.answer = lambda request: (201, b"[]")
    with pytest.raises(GatewayError, match="bad_answer"):
        gateway.create_execution("w")
    assert gateway.is_finished("t") is False


def test_a_redirect_is_not_followed(double: Double, gateway: Gateway) -> None:
    double.answer = lambda request: (302, {})
    assert gateway.progress("t", 1) is False
    assert len(double.requests) == 1


def test_progress_is_skipped_while_the_gateway_is_silent_and_the_end_is_tried(silent: str) -> None:
    gateway = Gateway(silent, timeout=0.05)
    begun = time.monotonic()
    for index in range(1000):
        assert gateway.progress("t", index % 100) is False
    assert time.monotonic() - begun < 3.0, "a thousand reports must not take a thousand timeouts"
    before = gateway.statistics
    assert before.skipped > 900
    assert gateway.complete("t") is False
    assert gateway.statistics.failed == before.failed + 1


def test_reports_go_on_when_the_gateway_is_back(double: Double, gateway: Gateway) -> None:
    release = threading.Event()
    stuck = True

    def answer(request: Request) -> Answer:
        if stuck:
            release.wait(5)
        return 202, {"offset": 1}

    double.answer = answer
    gateway = Gateway(double.url, timeout=0.05)
    for _ in range(5):
        assert gateway.progress("t", 1) is False
    stuck = False
    release.set()
    deadline = time.monotonic() + 5
    while not gateway.progress("t", 2):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert all(gateway.progress("t", 3) for _ in range(10))


def test_failures_are_logged_once_in_a_while_without_the_key(nobody: str, caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway(nobody, "secret-key")
    with caplog.at_level(logging.WARNING, logger="signalbox"):
        for _ in range(100):
            gateway.complete("t")
    assert len(caplog.records) == 1
    assert "unreachable" in caplog.text and "secret-key" not in caplog.text
    assert "secret-key" not in repr(gateway)


def test_what_is_raised_from_outside_reaches_the_task(silent: str) -> None:
    class SoftTimeLimitExceeded(Exception):
        """As Celery's: an Exception, raised by a signal handler wherever the task is."""

    def strike(number: int, frame: object) -> None:
        raise SoftTimeLimitExceeded

    previous = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(SoftTimeLimitExceeded):
            Gateway(silent, timeout=5.0).progress("t", 1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def test_a_connection_that_was_interrupted_is_not_used_again(double: Double, gateway: Gateway) -> None:
    class Interruption(Exception):
        pass

    def strike(number: int, frame: object) -> None:
        raise Interruption

    held = threading.Event()

    def answer(request: Request) -> Answer:
        if request.path.endswith("/slow/progress"):
            held.wait(5)
            return 202, {"offset": 1, "cancel_requested": True}
        return 202, {"offset": 2, "cancel_requested": False}

    double.answer = answer
    previous = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Interruption):
            gateway.progress("slow", 1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    held.set()
    assert gateway.progress("fast", 1)
    assert gateway.cancelled("fast") is False, "the answer to the interrupted request must not be read as this one's"


def test_the_connection_is_reopened_when_the_gateway_closed_it(double: Double, gateway: Gateway) -> None:
    assert gateway.progress("t", 1)
    gateway.close()
    assert gateway.progress("t", 2)
    assert double.connection_count == 2


def test_an_error_survives_pickling_between_celerys_processes() -> None:
    error = pickle.loads(pickle.dumps(GatewayError("task_finished", "task t is completed", 409)))
    assert (error.code, error.detail, error.status) == ("task_finished", "task t is completed", 409)


def test_notify_user_takes_the_default_without_a_gateway(nobody: str) -> None:
    step = TaskStepResult(step="s", message="m", status="completed")
    answer = Gateway(nobody).notify_user(step, "u", "t", 1)
    assert (answer.proceed, answer.feedback, answer.resolved_by) == (True, None, "unreachable")
    assert Gateway(nobody).notify_user(step, "u", "t", 1, default_proceed=False).proceed is False
    with pytest.raises(GatewayError):
        Gateway(nobody, strict=True).notify_user(step, "u", "t", 1)


def test_importing_and_making_a_gateway_starts_no_thread(nobody: str) -> None:
    before = threading.active_count()
    Gateway(nobody).progress("t", 1)
    assert threading.active_count() == before
    assert os.getpid() > 0


def test_an_end_without_its_result_is_better_than_no_end(
    double: Double, gateway: Gateway, strict_gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: Request) -> Answer:
        return problem(413, "payload_too_large") if len(request.content) > 1000 else (200, {"offset": 1})

    double.answer = answer
    assert gateway.complete("t", {"rows": ["x" * 2000]}, message="done") is True
    assert double.last.body == {"success": True, "message": "done"}
    assert "the result of task t is left out" in caplog.text
    assert gateway.error("t", "boom", details="x" * 2000) is True
    assert double.last.body == {"error": "boom"}
    assert gateway.error("t", "x" * 2000) is False, "nothing to leave out"
    with pytest.raises(GatewayError, match="payload_too_large"):
        strict_gateway.complete("t", "x" * 2000)
    assert len(double.requests) == 6


def test_an_exception_whose_text_raises_is_named_by_its_type(double: Double, gateway: Gateway) -> None:
    class Nasty(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert gateway.error("t", Nasty()) is True
    assert double.last.body == {"error": "Nasty"}
