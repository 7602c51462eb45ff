"""Caps for each address and user, and the listener that keeps publishers apart (wire contract §5)."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from support.api import Api, fresh
from support.process import GatewayProcess
from support.raw import RawSocket
from support.sockets import Watcher, eventually
from support.tokens import token


def is_inside(watcher: Watcher) -> bool:
    try:
        watcher.send({"action": "ping"})
        return watcher.next()["type"] == "pong"
    except Exception:
        return False


def test_an_address_has_its_own_cap(start_own: Any) -> None:
    gateway = start_own("--max-connections-per-ip", "2")
    with Watcher(gateway.websocket_url) as first, Watcher(gateway.websocket_url) as second:
        assert is_inside(first) and is_inside(second)
        with Watcher(gateway.websocket_url) as third:
            assert third.closed()[0] in (1008, 1013)
    eventually(lambda: Api(gateway.url).status()["active_connections"] == 0)
    with Watcher(gateway.websocket_url) as again:
        assert is_inside(again)


def test_the_address_is_the_clients_behind_a_trusted_proxy(start_own: Any) -> None:
    gateway = start_own("--max-connections-per-ip", "1", "--trusted-proxies", "127.0.0.1/32")

    def opened(address: str) -> Watcher:
        return Watcher(gateway.websocket_url, headers={"X-Forwarded-For": address})

    with opened("203.0.113.1") as first, opened("203.0.113.2") as second, opened("203.0.113.1") as third:
        assert is_inside(first) and is_inside(second) and not is_inside(third)


def test_a_strangers_forwarded_address_is_not_believed(start_own: Any) -> None:
    gateway = start_own("--max-connections-per-ip", "1")
    with Watcher(gateway.websocket_url, headers={"X-Forwarded-For": "203.0.113.1"}) as first:
        assert is_inside(first)
        with Watcher(gateway.websocket_url, headers={"X-Forwarded-For": "203.0.113.2"}) as second:
            assert not is_inside(second)


def test_a_user_has_its_own_cap(start_own: Any) -> None:
    gateway = start_own("--max-connections-per-user", "1", secured=True)

    def opened(user: str) -> Watcher:
        return Watcher(f"{gateway.websocket_url}/ws?token={token(user)}")

    with opened("a") as first, opened("b") as second:
        assert is_inside(first) and is_inside(second)
        with opened("a") as third:
            assert third.closed()[0] in (1008, 1013)


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def test_publishers_move_to_their_own_listener(start_own: Any) -> None:
    internal_port = free_port()
    gateway: GatewayProcess = start_own("--internal-port", internal_port)
    public, internal = Api(gateway.url), Api(f"http://127.0.0.1:{internal_port}")
    task = fresh()
    assert internal.progress(task)["offset"] == 1
    assert internal.get("/metrics").status == internal.get("/api/v1/status").status == 200
    for method, path in (("GET", "/metrics"), ("GET", "/api/v1/status"), ("POST", f"/api/v1/tasks/{task}/progress")):
        answer = public.request(method, path, {"progress": 1} if method == "POST" else None)
        assert (answer.status, answer.code) == (404, "not_found"), path
    assert public.get("/livez").status == public.get("/readyz").status == 200
    with Watcher(f"{gateway.websocket_url}/ws/task/{task}") as watcher:
        assert watcher.next()["type"] == "connected"


def test_the_echo_is_off_unless_it_is_asked_for(start_own: Any) -> None:
    with RawSocket(start_own()) as raw:
        raw.send(raw.upgrade_request("/echo"))
        status = raw.answer()[0]
        assert status in (101, 404)
        if status == 101:
            assert raw.close_frame()[0] == 1008
    gateway = start_own("--echo")
    with Watcher(gateway.websocket_url + "/echo") as watcher:
        watcher.send("文字")
        assert watcher.next_text() == "文字"
        watcher.connection.send(b"\x00\xff" * 1_000_000)
        assert watcher.connection.recv(timeout=5) == b"\x00\xff" * 1_000_000
    answer = Api(gateway.url).post("/echo", content=b"\x00any bytes", content_type="application/octet-stream")
    assert (answer.status, answer.content) == (200, b"\x00any bytes")


def test_the_expiry_is_announced_to_native_clients(start_own: Any) -> None:
    gateway = start_own("--jwt-leeway", "0", secured=True)
    expires_at = int(time.time()) + 30
    url = f"{gateway.websocket_url}/ws?token={token(exp=expires_at)}"
    with Watcher(url, subprotocols=["signalbox.v1"]) as watcher:
        watcher.next_of("welcome")
        announced = watcher.next_of("token_expiring")
        assert announced.get("expires_at", expires_at) == expires_at


@pytest.mark.parametrize("path", ["/nowhere", "/ws/task", "/ws/task/", "/api/v1/ws/executions/", "/ws/other"])
def test_a_socket_to_nowhere_is_refused(start_own: Any, path: str) -> None:
    with RawSocket(start_own()) as raw:
        raw.send(raw.upgrade_request(path))
        status = raw.answer()[0]
        assert status in (101, 400, 404)
        if status == 101:
            assert raw.close_frame()[0] == 1008
