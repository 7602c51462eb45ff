"""``WebSocketNotifier`` and ``TaskProgressManager``, for workers of a FastAPI application that pushed by itself.

    from signalbox.compat.task_progress import ws_notifier          # was: app.services.websocket_notifier

    ws_notifier.send_progress_update(task_id=self.request.id, progress=60, current=3, total=5, message="处理中 3/5")

As before, a report that cannot be delivered is logged and does not disturb the task.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Dict, Optional

from ..gateway import Gateway
from ._default import default_gateway, set_default_gateway

__all__ = ["TaskProgressManager", "WebSocketNotifier", "set_default_gateway", "task_progress_manager", "ws_notifier"]

logger = logging.getLogger("signalbox")


class WebSocketNotifier:
    """Reports from synchronous code, such as a Celery task."""

    def __init__(self, gateway: Optional[Gateway] = None) -> None:
        self._gateway = gateway

    @property
    def gateway(self) -> Gateway:
        return self._gateway or default_gateway()

    def send_progress_update(
        self,
        task_id: str,
        progress: float,
        status: str = "processing",
        current: Optional[int] = None,
        total: Optional[int] = None,
        message: Optional[str] = None,
        details: Optional[Dict[str, Any]] = None,
    ) -> None:
        self.gateway.progress(
            task_id, progress, status=status, current=current, total=total, message=message, details=details
        )

    def send_task_complete(
        self, task_id: str, success: bool = True, message: Optional[str] = None, result: Any = None
    ) -> None:
        """Without ``message`` the gateway says 任务完成 or 任务失败."""
        self.gateway.complete(task_id, result, success=success, message=message)

    def send_task_error(self, task_id: str, error: str, details: Optional[Dict[str, Any]] = None) -> None:
        self.gateway.error(task_id, error, details=details)


class TaskProgressManager:
    """Reports from asynchronous code. The requests run in threads, so that the event loop never waits for them.

    ``connect``, ``disconnect`` and ``send_to_websocket`` are gone: browsers connect to the gateway.
    """

    def __init__(self, gateway: Optional[Gateway] = None) -> None:
        self._notifier = WebSocketNotifier(gateway)

    async def broadcast_to_task(self, task_id: str, message: Dict[str, Any]) -> None:
        """Sends a ``progress``, ``complete`` or ``error`` message to the task's watchers. Other types never had a
        meaning for them; they are logged and dropped."""
        kind = message.get("type")
        notifier = self._notifier
        if kind == "progress":
            await asyncio.to_thread(
                notifier.send_progress_update,
                task_id,
                message.get("progress", 0),
                message.get("status", "processing"),
                message.get("current"),
                message.get("total"),
                message.get("message"),
                message.get("details"),
            )
        elif kind == "complete":
            await asyncio.to_thread(
                notifier.send_task_complete,
                task_id,
                message.get("success", True),
                message.get("message"),
                message.get("result"),
            )
        elif kind == "error":
            await asyncio.to_thread(
                notifier.send_task_error, task_id, message.get("error", "error"), message.get("details")
            )
        else:
            logger.warning("broadcast_to_task: type is %r, must be progress, complete or error; not sent", kind)

    async def send_progress_update(
        self,
        task_id: str,
        progress: float,
        status: str = "processing",
        current: Optional[int] = None,
        total: Optional[int] = None,
        message: Optional[str] = None,
        details: Optional[Dict[str, Any]] = None,
    ) -> None:
        await asyncio.to_thread(
            self._notifier.send_progress_update, task_id, progress, status, current, total, message, details
        )

    async def send_task_complete(
        self, task_id: str, success: bool = True, message: Optional[str] = None, result: Any = None
    ) -> None:
        await asyncio.to_thread(self._notifier.send_task_complete, task_id, success, message, result)

    async def send_task_error(self, task_id: str, error: str, details: Optional[Dict[str, Any]] = None) -> None:
        await asyncio.to_thread(self._notifier.send_task_error, task_id, error, details)


ws_notifier = WebSocketNotifier()
task_progress_manager = TaskProgressManager()
