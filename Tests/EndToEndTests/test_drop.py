"""Wire contract §4.1: clients whose connections break again and again get every message exactly once.

`Benchmarks/drop_test.py` does the same with ten thousand clients for a minute.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from support.dropping import Profile, drop
from support.process import API_KEY

CLIENTS = int(os.environ.get("SIGNALBOX_DROP_CLIENTS") or 300)


@pytest.mark.parametrize("task_count", [1, 7])
def test_every_client_gets_every_message_exactly_once(start_own: Any, task_count: int) -> None:
    gateway = start_own("--threads", "2")
    profile = Profile(
        client_count=CLIENTS, message_count=40, messages_per_second=4, drop_every_seconds=3, offline_seconds=0.5,
        task_count=task_count,
    )  # fmt: skip
    report = drop(gateway.host, gateway.port, API_KEY, profile)
    assert report.expected == CLIENTS * profile.message_count
    assert report.is_whole, report
    # Each was broken about three times, and none but by the test itself.
    assert report.drops >= 3 * CLIENTS and report.resumptions == report.drops and report.refusals == 0, report


def test_who_was_away_for_longer_than_the_history_is_counted(start_own: Any) -> None:
    """What the test counts is not empty: with a history of two events a client that misses four is told so."""
    gateway = start_own("--threads", "2", "--history-events", "2")
    profile = Profile(
        client_count=40, message_count=30, messages_per_second=10, drop_every_seconds=1, offline_seconds=0.5
    )
    report = drop(gateway.host, gateway.port, API_KEY, profile)
    assert not report.is_whole and report.not_recovered > 0 and report.delivered < report.expected, report
    assert report.complete_clients == profile.client_count and report.duplicates == 0 and report.wrong == 0, report
