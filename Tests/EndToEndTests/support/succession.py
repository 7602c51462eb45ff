"""Gateways one after the other on one database."""

from __future__ import annotations

import pathlib
from types import TracebackType
from typing import Any, Optional, Tuple, Type

from .api import Api
from .process import API_KEY, GatewayProcess
from .sockets import Watcher

STORE_NAME = "signalbox.db"


class Succession:
    """One database, and the gateway that has it now. Each start is on a port of its own: a client that tries a port on
    which nobody listens may be given that same port by the kernel, and meet itself."""

    def __init__(self, directory: pathlib.Path, *flags: str, threads: int = 1) -> None:
        self.directory = directory
        self.flags: Tuple[str, ...] = flags
        self.threads = threads
        self.gateway: Optional[GatewayProcess] = None

    def __enter__(self) -> "Succession":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        gateway, self.gateway = self.gateway, None
        if gateway is None:
            return
        if kind is None:
            gateway.stop()
        else:
            # What went wrong is to be seen, not what follows from it.
            gateway.kill()

    @property
    def path(self) -> pathlib.Path:
        return self.directory / STORE_NAME

    def start(self, *flags: str, threads: Optional[int] = None, **options: Any) -> Api:
        """The publisher's API of a new gateway on the database."""
        self.gateway = GatewayProcess(
            "--host", "127.0.0.1", "--port", "0", "--auth", "off", "--api-keys", API_KEY,
            "--threads", str(threads or self.threads), "--store", f"sqlite:{STORE_NAME}", "--drain-timeout", "2",
            *self.flags, *flags, directory=str(self.directory), **options,
        )  # fmt: skip
        return Api(self.gateway.url)

    def stop(self) -> None:
        """As an operator would."""
        gateway, self.gateway = self.gateway, None
        assert gateway is not None
        gateway.stop()

    def kill(self) -> None:
        """As a crash would."""
        gateway, self.gateway = self.gateway, None
        assert gateway is not None
        gateway.kill()

    def restart(self, *flags: str, threads: Optional[int] = None) -> Api:
        self.stop()
        return self.start(*flags, threads=threads)

    def crash(self, *flags: str, threads: Optional[int] = None) -> Api:
        self.kill()
        return self.start(*flags, threads=threads)

    def watch(self, path: str = "/ws", **options: Any) -> Watcher:
        assert self.gateway is not None
        return Watcher(self.gateway.websocket_url + path, **options)
