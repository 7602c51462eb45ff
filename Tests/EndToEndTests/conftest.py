"""Gateways for the tests: ``start`` for a whole file, ``start_own`` for one test, ``start_gateway`` with exact flags."""

from __future__ import annotations

from typing import Any, Callable, Iterator, List

import pytest

from support.api import Api
from support.process import API_KEY, JWT_SECRET, GatewayProcess
from support.sockets import Watcher

# One thread makes "nothing came before this pong" exact: the pong passes nothing that was published before the ping.
COMMON_FLAGS = ("--host", "127.0.0.1", "--port", "0", "--threads", "1", "--api-keys", API_KEY)
OPEN_FLAGS = (*COMMON_FLAGS, "--auth", "off")
SECURED_FLAGS = (*COMMON_FLAGS, "--auth", "required", "--jwt-secret", JWT_SECRET)

Start = Callable[..., GatewayProcess]


def _with_common_flags(*flags: str, secured: bool = False, **options: Any) -> GatewayProcess:
    return GatewayProcess(*(SECURED_FLAGS if secured else OPEN_FLAGS), *flags, **options)


def _with_exact_flags(*flags: str, **options: Any) -> GatewayProcess:
    place = () if "--port" in flags else ("--port", "0")
    return GatewayProcess("--host", "127.0.0.1", *place, "--store", "memory", *flags, **options)


def _starter(make: Start) -> Iterator[Start]:
    started: List[GatewayProcess] = []

    def start(*flags: str, **options: Any) -> GatewayProcess:
        gateway = make(*flags, **options)
        started.append(gateway)
        return gateway

    yield start
    failures = []
    for gateway in started:
        try:
            gateway.stop()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    yield from _starter(_with_common_flags)


@pytest.fixture
def start_own() -> Iterator[Start]:
    yield from _starter(_with_common_flags)


@pytest.fixture
def start_gateway() -> Iterator[Start]:
    """Starts gateways with these flags alone and all event loops, on a free port unless the flags name one."""
    yield from _starter(_with_exact_flags)


@pytest.fixture
def api(gateway: GatewayProcess) -> Api:
    """The publisher's API of the file's ``gateway``."""
    return Api(gateway.url)


@pytest.fixture
def watch(gateway: GatewayProcess) -> Iterator[Callable[..., Watcher]]:
    """Opens WebSocket connections to the file's ``gateway`` and closes them when the test ends."""
    opened: List[Watcher] = []

    def open_one(path: str = "/ws", **options: Any) -> Watcher:
        watcher = Watcher(gateway.websocket_url + path, **options)
        opened.append(watcher)
        return watcher

    yield open_one
    for watcher in opened:
        watcher.close()
