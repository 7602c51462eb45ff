"""Wire contract §2: beyond the cap a client is told so; at the descriptor limit nothing spins."""

from __future__ import annotations

import time
from typing import Any, List

import psutil
import pytest

from support.api import Api, fresh
from support.process import GatewayProcess
from support.raw import RawSocket
from support.sockets import Watcher, eventually

LIMIT_REACHED = (1013, "Server connection limit reached")
CAP = 3


@pytest.fixture
def gateway(start_own: Any) -> GatewayProcess:
    return start_own("--max-connections", str(CAP))


def fill(gateway: GatewayProcess, watch: Any) -> List[Watcher]:
    watchers = [watch() for _ in range(CAP)]
    for watcher in watchers:
        assert watcher.everything_so_far() == []
    return watchers


def cpu_seconds_during(gateway: GatewayProcess, seconds: float) -> float:
    """How much processor time the gateway uses while nothing happens."""
    process = psutil.Process(gateway.identifier)
    before = process.cpu_times()
    time.sleep(seconds)  # the measured idle time itself, not a wait for something
    after = process.cpu_times()
    return after.user + after.system - before.user - before.system


@pytest.mark.parametrize("path", ["/", "/ws", "/ws/task/t", "/api/v1/ws/executions/t"])
def test_one_more_than_the_cap_is_told_after_a_completed_handshake(
    gateway: GatewayProcess, api: Api, watch: Any, path: str
) -> None:
    api.register("t")
    watchers = fill(gateway, watch)
    assert watch(path).closed_next() == LIMIT_REACHED
    for watcher in watchers:
        assert watcher.everything_so_far() == [], "those within the cap notice nothing"
    assert api.status()["active_connections"] == CAP


def test_a_place_that_was_left_is_taken(gateway: GatewayProcess, api: Api, watch: Any) -> None:
    watchers = fill(gateway, watch)
    assert watch().closed_next() == LIMIT_REACHED
    watchers[0].close()
    eventually(lambda: api.status()["active_connections"] == CAP - 1)
    assert watch().everything_so_far() == []
    assert watch().closed_next() == LIMIT_REACHED


def test_the_api_goes_on_at_the_cap(gateway: GatewayProcess, api: Api, watch: Any) -> None:
    fill(gateway, watch)
    assert api.progress(fresh())["offset"] == 1
    assert api.get("/livez").status == 200


def test_a_trusted_proxy_gets_503_to_try_the_next_node(start_own: Any) -> None:
    gateway = start_own("--max-connections", "1", "--trusted-proxies", "127.0.0.0/8")
    with Watcher(gateway.websocket_url) as first:
        first.everything_so_far()
        with RawSocket(gateway) as proxy:
            proxy.send(proxy.upgrade_request("/ws", "X-Signalbox-Overload: status\r\n"))
            status, headers, _ = proxy.answer()
            assert status == 503 and int(headers["retry-after"]) >= 1
        with Watcher(gateway.websocket_url) as browser:
            assert browser.closed_next() == LIMIT_REACHED, "without the header it is a browser"


def test_the_header_of_a_stranger_is_not_believed(gateway: GatewayProcess, watch: Any) -> None:
    fill(gateway, watch)
    stranger = watch(headers={"X-Signalbox-Overload": "status"})
    assert stranger.closed_next() == LIMIT_REACHED


def test_everybody_gets_statuses_where_that_is_configured(start_own: Any) -> None:
    gateway = start_own("--max-connections", "1", "--reject-with", "http")
    with Watcher(gateway.websocket_url) as first:
        first.everything_so_far()
        with RawSocket(gateway) as second:
            second.send(second.upgrade_request())
            status, headers, _ = second.answer()
            assert status == 503 and "retry-after" in headers


def test_a_crowd_at_the_cap_leaves_the_gateway_in_peace(gateway: GatewayProcess, api: Api, watch: Any) -> None:
    watchers = fill(gateway, watch)
    crowd = [RawSocket(gateway) for _ in range(400)]
    for raw in crowd:
        raw.send(raw.upgrade_request())
    told, closed = 0, 0
    for raw in crowd:
        try:
            status, _, _ = raw.answer()
            assert status == 101
            assert raw.close_frame() == LIMIT_REACHED
            told += 1
        except (EOFError, ConnectionError):
            closed += 1
    assert told >= 1 and told + closed == 400, (told, closed)
    for raw in crowd:
        raw.socket.close()
    for watcher in watchers:
        assert watcher.everything_so_far() == []
    assert api.status()["active_connections"] == CAP


class TestTheDescriptorLimit:
    LIMIT = 64

    @pytest.fixture
    def gateway(self, start_own: Any) -> GatewayProcess:
        return start_own(wrapper=("prlimit", f"--nofile={self.LIMIT}:{self.LIMIT}", "--"))

    def test_the_default_cap_is_below_the_limit(self, gateway: GatewayProcess, watch: Any) -> None:
        accepted, refused = [], 0
        for _ in range(self.LIMIT + 10):
            try:
                watcher = watch()
                watcher.send({"action": "ping"})
                watcher.next()
                accepted.append(watcher)
            except Exception:
                refused += 1
        assert 1 <= len(accepted) < self.LIMIT and refused >= 10
        assert gateway.is_running

    def test_connections_beyond_the_limit_do_not_spin_and_recovery_is_complete(self, gateway: GatewayProcess) -> None:
        crowd: List[RawSocket] = []
        for _ in range(self.LIMIT * 2):
            try:
                crowd.append(RawSocket(gateway))
            except OSError:
                break
        assert len(crowd) > self.LIMIT - 20
        assert cpu_seconds_during(gateway, 1.0) < 0.25, "the gateway spins at the descriptor limit"
        for raw in crowd:
            raw.socket.close()

        def answers() -> bool:
            try:
                return Api(gateway.url).get("/livez").status == 200
            except Exception:
                return False

        eventually(answers)
        with Watcher(gateway.websocket_url) as watcher:
            assert watcher.everything_so_far() == []


def test_an_idle_gateway_uses_no_processor_time(gateway: GatewayProcess, watch: Any) -> None:
    fill(gateway, watch)
    assert cpu_seconds_during(gateway, 1.0) < 0.1
