"""``WebSocketManager`` of AIECS, with the gateway in the place of the server that it ran itself.

from signalbox.compat.aiecs import TaskStepResult, UserConfirmation, WebSocketManager

ws_manager = WebSocketManager(host="gateway.internal", port=8765)
confirmation = await ws_manager.notify_user(step_result=…, user_id="user_123", task_id="task_456", step=1)
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any, Callable, Dict, Mapping, Optional, TypeVar

from ..errors import GatewayError
from ..gateway import Gateway
from ..models import TaskStepResult, UserConfirmation

__all__ = ["TaskStepResult", "UserConfirmation", "WebSocketManager"]

Value = TypeVar("Value")


class RemoteServer:
    """What ``start_server`` returns: the gateway runs elsewhere, so that closing this closes nothing there."""

    def __init__(self, manager: "WebSocketManager") -> None:
        self._manager = manager

    def is_serving(self) -> bool:
        return bool(self._manager.get_status()["running"])

    def close(self) -> None:
        self._manager._stopped = True

    async def wait_closed(self) -> None:
        return None


class WebSocketManager:
    """``host`` and ``port`` say where the gateway is; SIGNALBOX_URL, when set, wins, and a given ``gateway`` over both.
    The publisher's key comes from SIGNALBOX_API_KEY. A host that means "all interfaces" is this machine."""

    def __init__(
        self, host: str = "python-middleware-api", port: int = 8765, *, gateway: Optional[Gateway] = None
    ) -> None:
        self.host = host
        self.port = port
        self._stopped = False
        if gateway is None:
            gateway = Gateway.from_env()
            if not os.environ.get("SIGNALBOX_URL"):
                address = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host
                address = f"[{address}]" if ":" in address else address
                gateway = gateway.at(f"http://{address}:{port}")
        self.gateway = gateway

    async def start_server(self) -> RemoteServer:
        """Checks that the gateway answers, and raises GatewayError when it does not."""
        await asyncio.to_thread(self.gateway.status)
        self._stopped = False
        return RemoteServer(self)

    async def stop_server(self) -> None:
        """Ends the heartbeats of this manager and closes its connections. The gateway runs on."""
        self._stopped = True
        await asyncio.to_thread(self.gateway.close)

    async def notify_user(
        self, step_result: Any, user_id: str, task_id: str, step: int, timeout: float = 300
    ) -> UserConfirmation:
        """Asks, and waits for the answer; after ``timeout`` seconds, or without a gateway, the answer is to proceed."""
        return await _in_a_thread_of_its_own(
            lambda: self.gateway.notify_user(step_result, user_id, task_id, step, timeout, default_proceed=True)
        )

    async def broadcast_message(self, message: Mapping[str, Any]) -> None:
        await asyncio.to_thread(self.gateway.broadcast, message)

    async def send_to_user(self, user_id: str, message: Mapping[str, Any]) -> None:
        await asyncio.to_thread(self.gateway.send_to_user, user_id, message)

    async def send_heartbeat(self, user_id: str, task_id: str, interval: float = 30) -> None:
        """Sends a heartbeat every ``interval`` seconds, until it is cancelled, the server is stopped, or the task is
        at its end."""
        while not self._stopped:
            if not await asyncio.to_thread(self._heartbeat_is_wanted, user_id, task_id):
                return
            await asyncio.sleep(interval)

    def _heartbeat_is_wanted(self, user_id: str, task_id: str) -> bool:
        return self.gateway.heartbeat(task_id, user_id=user_id) or not self.gateway.is_finished(task_id)

    def get_connection_count(self) -> int:
        return int(self.get_status()["active_connections"])

    def get_status(self) -> Dict[str, Any]:
        """``running`` is whether the gateway answers; the counts are 0 when it does not."""
        try:
            status = self.gateway.status()
        except GatewayError:
            status = {}
        return {
            "running": status.get("running") is True,
            "host": self.host,
            "port": self.port,
            "active_connections": status.get("active_connections", 0),
            "pending_callbacks": status.get("pending_callbacks", 0),
        }


async def _in_a_thread_of_its_own(work: Callable[[], Value]) -> Value:
    """Runs ``work`` beside the event loop's small pool, which a few unanswered questions would fill."""
    loop = asyncio.get_running_loop()
    future: "asyncio.Future[Value]" = loop.create_future()

    def succeed(value: Value) -> None:
        if not future.done():
            future.set_result(value)

    def fail(error: BaseException) -> None:
        if not future.done():
            future.set_exception(error)

    def run() -> None:
        try:
            try:
                value = work()
            except BaseException as error:
                loop.call_soon_threadsafe(fail, error)
            else:
                loop.call_soon_threadsafe(succeed, value)
        except RuntimeError:
            pass  # the loop was closed, so nobody waits any more

    threading.Thread(target=run, name="signalbox-notify-user", daemon=True).start()
    return await future
