"""A gateway made before a fork is used after it, by parent and child, each with its own connections."""

from __future__ import annotations

import os
import threading
import time
from typing import Callable

import pytest
from conftest import Double

from signalbox import Gateway

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def in_a_child(work: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether ``work`` returned true in a forked child, within ``seconds``."""
    identifier = os.fork()
    if identifier == 0:
        outcome = 1
        try:
            outcome = 0 if work() else 1
        finally:
            os._exit(outcome)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(identifier, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.005)
    os.kill(identifier, 9)
    os.waitpid(identifier, 0)
    return False


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_children_and_parent_never_share_a_connection(double: Double, gateway: Gateway) -> None:
    assert gateway.progress("parent", 0)
    for child in range(3):
        assert in_a_child(lambda child=child: all(gateway.progress(f"child-{child}", index) for index in range(20)))
        assert gateway.progress("parent", child + 1)
    assert double.connection_count == 4
    for task, count in [("parent", 4), ("child-0", 20), ("child-1", 20), ("child-2", 20)]:
        bodies = [request.body for request in double.requests if request.path == f"/api/v1/tasks/{task}/progress"]
        assert bodies == [{"progress": index} for index in range(count)]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_forked_while_another_thread_holds_the_locks_does_not_hang(double: Double, gateway: Gateway) -> None:
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with gateway._lock, gateway._transport._lock:
            held.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(5)
    try:
        assert in_a_child(lambda: gateway.progress("child", 1) and gateway.statistics.sent == 1)
    finally:
        release.set()
        thread.join()
    assert gateway.progress("parent", 1)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_begins_with_no_pause_and_no_counts(silent: str, double: Double) -> None:
    gateway = Gateway(silent, timeout=0.05)
    for _ in range(5):
        gateway.progress("t", 1)
    assert gateway._transport.is_paused
    assert in_a_child(lambda: not gateway._transport.is_paused and gateway.statistics.failed == 0)
