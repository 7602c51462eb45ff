"""The gateway as a worker sees it."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
import weakref
from collections import OrderedDict
from typing import Any, Dict, FrozenSet, Mapping, Optional, Sequence
from urllib.parse import quote

from .encoding import encode
from .errors import GatewayError
from .models import Statistics, UserConfirmation, step_result_body
from .transport import Timeout, Transport

logger = logging.getLogger("signalbox")

DEFAULT_URL = "http://127.0.0.1:8765"

HELD_SECONDS_MAX = 25
"""How long one request waits for a person: under the 30 to 60 seconds after which proxies give up."""

ANSWER_GRACE_SECONDS = 5.0
"""The gateway owns a confirmation's deadline; so long after it, an unreachable gateway's default is taken."""

POLL_PAUSE_SECONDS_MIN = 0.2
POLL_PAUSE_SECONDS_MAX = 3.0
"""Between two questions to a gateway that did not answer (it may be restarting)."""

CANCEL_KNOWLEDGE_SECONDS = 1.0
"""Every answer to a report says whether the task shall be cancelled; one so old is not asked for again."""

REMEMBERED_TASK_COUNT_MAX = 10_000
"""Tasks whose cancel request is remembered; the least recently used is forgotten (and asked for) first."""

WARNING_PAUSE_SECONDS = 10.0
"""Between two warnings, so that a task that reports a thousand times does not log a thousand lines."""


def _body(**members: Any) -> Dict[str, Any]:
    """The members that were given. None means "not given", as in the signatures."""
    return {name: value for name, value in members.items() if value is not None}


def _segment(identifier: Any) -> str:
    return quote(str(identifier), safe="", errors="replace")


def _error_text(error: Any) -> str:
    """A text for whatever was raised; other people's ``__str__`` may raise, too."""
    if isinstance(error, str):
        return error
    try:
        return str(error) or repr(error)
    except Exception:
        return type(error).__name__


_gateways: "weakref.WeakSet[Gateway]" = weakref.WeakSet()


def _release_the_parents_locks() -> None:
    for gateway in list(_gateways):
        gateway._start_afresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_the_parents_locks)


class Gateway:
    """A Signalbox gateway, for publishers.

    Reports (``register``, ``progress``, ``complete``, ``error``, ``heartbeat``, ``broadcast``, ``send_to_user``) never
    raise and take at most the timeout: a task does not fail because its progress could not be shown. They return
    whether the gateway took them, and a failure is logged as a warning and counted in ``statistics``. With
    ``strict=True`` they raise GatewayError instead.

    Questions (``snapshot``, ``create_execution``) always raise GatewayError, having nothing else to return.

    One instance serves all threads of a process and may be made before a fork.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        api_key: Optional[str] = None,
        *,
        timeout: Timeout = (1.0, 2.0),
        strict: bool = False,
    ) -> None:
        """``timeout`` is in seconds: one number, or a pair for connecting and for the answer."""
        self._transport = Transport(url, api_key, timeout)
        self._api_key = api_key
        self._timeout = timeout
        self._strict = strict
        self._lock = threading.Lock()
        self._sent = 0
        self._failed = 0
        self._skipped = 0
        self._warned_at = float("-inf")
        self._unwarned = 0
        # task → (whether a cancel was asked for, when the gateway said so)
        self._cancel_requests: "OrderedDict[str, tuple[bool, float]]" = OrderedDict()
        _gateways.add(self)

    @classmethod
    def from_env(cls, *, timeout: Timeout = (1.0, 2.0), strict: bool = False) -> "Gateway":
        """The gateway at SIGNALBOX_URL, with SIGNALBOX_API_KEY or the contents of the file SIGNALBOX_API_KEY_FILE."""
        api_key = os.environ.get("SIGNALBOX_API_KEY")
        key_file = os.environ.get("SIGNALBOX_API_KEY_FILE")
        if not api_key and key_file:
            with open(key_file, encoding="utf-8") as file:
                api_key = file.read().strip()
        return cls(os.environ.get("SIGNALBOX_URL") or DEFAULT_URL, api_key or None, timeout=timeout, strict=strict)

    def at(self, url: str) -> "Gateway":
        """A gateway elsewhere, with the same key, timeout and strictness."""
        return Gateway(url, self._api_key, timeout=self._timeout, strict=self._strict)

    def __repr__(self) -> str:
        return f"Gateway({self._transport.url!r})"

    @property
    def url(self) -> str:
        return self._transport.url

    @property
    def statistics(self) -> Statistics:
        """What became of the requests of this process."""
        with self._lock:
            return Statistics(sent=self._sent, failed=self._failed, skipped=self._skipped)

    def close(self) -> None:
        """Closes the connections. The next call opens new ones."""
        self._transport.close()

    # Reports

    def register(
        self,
        task_id: str,
        *,
        owner: Optional[str] = None,
        viewers: Optional[Sequence[str]] = None,
        kind: Optional[str] = None,
        title: Optional[str] = None,
        total: Optional[float] = None,
        parent_id: Optional[str] = None,
        weight: Optional[float] = None,
        depends_on: Optional[Sequence[str]] = None,
        lease_seconds: Optional[float] = None,
        metadata: Optional[Mapping[str, Any]] = None,
    ) -> bool:
        """Announces a task, so that it can be watched (by ``owner`` and ``viewers`` alone, where they are given)
        before its first report. Registering again changes nothing."""
        body = _body(
            task_id=task_id,
            owner=owner,
            viewers=list(viewers) if viewers is not None else None,
            kind=kind,
            title=title,
            total=total,
            parent_id=parent_id,
            weight=weight,
            depends_on=list(depends_on) if depends_on is not None else None,
            lease_seconds=lease_seconds,
            metadata=metadata,
        )
        return self._publish("/api/v1/tasks", body)

    def progress(
        self,
        task_id: str,
        progress: Optional[float] = None,
        *,
        status: Optional[str] = None,
        current: Optional[float] = None,
        total: Optional[float] = None,
        message: Optional[str] = None,
        details: Any = None,
    ) -> bool:
        """Reports how far the task is: ``progress`` from 0 to 100."""
        body = _body(progress=progress, status=status, current=current, total=total, message=message, details=details)
        return self._publish(f"/api/v1/tasks/{_segment(task_id)}/progress", body, task_id=task_id, may_be_skipped=True)

    def complete(
        self, task_id: str, result: Any = None, *, success: bool = True, message: Optional[str] = None
    ) -> bool:
        """Ends the task. ``success=False`` ends it as failed. A result that the gateway finds too large is left out,
        with a warning: a task whose end nobody sees is worse than one without its result."""
        body = _body(success=success, message=message, result=result)
        return self._end(f"/api/v1/tasks/{_segment(task_id)}/complete", body, task_id, dispensable="result")

    def error(self, task_id: str, error: Any, *, error_code: Optional[str] = None, details: Any = None) -> bool:
        """Ends the task as failed. ``error`` is a text or an exception. Details that the gateway finds too large are
        left out, with a warning."""
        body = _body(error=_error_text(error), error_code=error_code, details=details)
        return self._end(f"/api/v1/tasks/{_segment(task_id)}/error", body, task_id, dispensable="details")

    def heartbeat(self, task_id: str, *, user_id: Optional[str] = None, message: Optional[str] = None) -> bool:
        """Says that the task is still being worked on: renews its lease and is shown to its watchers."""
        body = _body(user_id=user_id, message=message)
        return self._publish(f"/api/v1/tasks/{_segment(task_id)}/heartbeat", body, task_id=task_id, may_be_skipped=True)

    def broadcast(self, message: Mapping[str, Any]) -> bool:
        """Sends ``message`` to every connected client of the action dialect."""
        return self._publish("/api/v1/broadcast", message, may_be_skipped=True)

    def send_to_user(
        self,
        user_id: str,
        message: Mapping[str, Any],
        requires_ack: bool = False,
        *,
        ack_timeout: float = 5.0,
    ) -> bool:
        """Sends ``message`` to the connections of one user. With ``requires_ack`` it waits up to ``ack_timeout``
        seconds, and returns whether one of them acknowledged it."""
        path = f"/api/v1/users/{_segment(user_id)}/messages"
        if not requires_ack:
            return self._publish(path, message)
        held_seconds = max(0.0, min(float(ack_timeout), HELD_SECONDS_MAX))
        answer = self._report(f"{path}?requires_ack=1&wait={held_seconds:g}", message, held_seconds=held_seconds)
        return isinstance(answer, dict) and answer.get("acked") is True

    # Cancelling

    def cancelled(self, task_id: str) -> bool:
        """Whether somebody asked for the task's cancellation. Cheap between reports, whose answers say it; the gateway
        is asked when the last one is older than a second. False when it cannot be asked."""
        with self._lock:
            requested, known_at = self._cancel_requests.get(task_id, (False, float("-inf")))
        if requested or time.monotonic() - known_at < CANCEL_KNOWLEDGE_SECONDS:
            return requested
        if self._transport.is_paused:
            return False
        try:
            task = self._transport.request("GET", f"/api/v1/tasks/{_segment(task_id)}")
        except GatewayError as error:
            self._note_failure(error)
            if error.code != "task_not_found" and self._strict:
                raise
            return False
        self._note_success()
        self._note_answer(task_id, task)
        return isinstance(task, dict) and task.get("cancel_requested") is True

    def acknowledge_cancel(self, task_id: str) -> bool:
        """Says that the worker has stopped: the task ends as cancelled."""
        return self._publish(f"/api/v1/tasks/{_segment(task_id)}/cancel/ack", {}, task_id=task_id)

    # Questions

    def snapshot(self, task_id: str) -> Dict[str, Any]:
        """The task's latest state. GatewayError ``task_not_found`` when the gateway does not know it."""
        return self._ask("GET", f"/api/v1/tasks/{_segment(task_id)}")

    def is_finished(self, task_id: str) -> bool:
        """Whether the gateway knows the task as completed, failed or cancelled. False when it cannot be asked."""
        try:
            return self.snapshot(task_id).get("status") in ("completed", "failed", "cancelled")
        except GatewayError:
            return False

    def create_execution(self, workflow_id: str, input_data: Any = None) -> Dict[str, Any]:
        """Creates an execution: a task that some worker will take. ``["execution_id"]`` is its id."""
        return self._ask("POST", "/api/v1/executions", {"workflow_id": workflow_id, "input_data": input_data})

    def status(self) -> Dict[str, Any]:
        """The gateway's own state: ``active_connections``, ``pending_callbacks``, ``version`` …"""
        return self._ask("GET", "/api/v1/status")

    def notify_user(
        self,
        step_result: Any,
        user_id: str,
        task_id: str,
        step: int,
        timeout: float = 300,
        default_proceed: bool = True,
    ) -> UserConfirmation:
        """Asks a person whether to go on, and waits for the answer.

        The gateway keeps the question and its deadline: after ``timeout`` seconds without an answer it is
        ``default_proceed``. The same is taken when the gateway cannot be reached (``resolved_by`` is then
        ``unreachable``), unless the Gateway is strict. A withdrawn question does not proceed.

        In Celery the task's time limits must be longer than ``timeout``.
        """
        try:
            return self._confirmation(step_result_body(step_result), user_id, task_id, step, timeout, default_proceed)
        except GatewayError as error:
            self._note_failure(error)
            if self._strict:
                raise
            return UserConfirmation(proceed=default_proceed, resolved_by="unreachable")

    def _confirmation(
        self, step_result: Dict[str, Any], user_id: str, task_id: str, step: int, timeout: float, default_proceed: bool
    ) -> UserConfirmation:
        give_up_at = time.monotonic() + timeout + ANSWER_GRACE_SECONDS
        body = {
            "task_id": task_id,
            "user_id": user_id,
            "step": step,
            "step_result": step_result,
            "timeout": timeout,
            "default_proceed": default_proceed,
        }
        # Not held: once the question has a name, no gateway's restart and no lost connection can lose it.
        outcome = self._transport.request(
            "POST",
            "/api/v1/confirmations",
            encode(body, strict=self._strict),
            headers={"Idempotency-Key": str(uuid.uuid4())},
        )
        self._note_success()
        pause = POLL_PAUSE_SECONDS_MIN
        while not isinstance(outcome, dict) or outcome.get("status") == "pending":
            callback_id = outcome.get("callback_id") if isinstance(outcome, dict) else None
            if not isinstance(callback_id, str):
                raise GatewayError("bad_answer", f"a confirmation without callback_id: {outcome!r:.200}")
            asked_at = time.monotonic()
            try:
                outcome = self._transport.request(
                    "GET",
                    f"/api/v1/confirmations/{_segment(callback_id)}?wait={HELD_SECONDS_MAX}",
                    held_seconds=HELD_SECONDS_MAX,
                )
                # A gateway that does not hold the request must not be asked in a tight loop.
                pause = POLL_PAUSE_SECONDS_MIN
                if isinstance(outcome, dict) and outcome.get("status") == "pending":
                    if time.monotonic() >= give_up_at:
                        raise GatewayError("timeout", f"confirmation {callback_id} is pending past its deadline")
                    if time.monotonic() - asked_at < 1.0:
                        time.sleep(pause)
            except GatewayError as error:
                # Refusals are final; silence and 5xx may be a restart, which the question survives.
                if error.status is not None and error.status < 500 and error.status != 429:
                    raise
                if time.monotonic() + pause >= give_up_at:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, POLL_PAUSE_SECONDS_MAX)
        feedback = outcome.get("feedback")
        return UserConfirmation(
            proceed=outcome.get("proceed") is True,
            feedback=feedback if isinstance(feedback, str) else None,
            resolved_by=outcome.get("resolved_by"),
        )

    # How requests are made

    def _ask(self, method: str, path: str, body: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
        try:
            content = None if body is None else encode(body, strict=self._strict)
            answer = self._transport.request(method, path, content)
            if not isinstance(answer, dict):
                raise GatewayError("bad_answer", f"{method} {path}: the answer is no JSON object")
        except GatewayError:
            with self._lock:
                self._failed += 1
            raise
        self._note_success()
        return answer

    def _publish(
        self, path: str, body: Mapping[str, Any], *, task_id: Optional[str] = None, may_be_skipped: bool = False
    ) -> bool:
        return self._report(path, body, task_id=task_id, may_be_skipped=may_be_skipped) is not None

    def _end(self, path: str, body: Dict[str, Any], task_id: str, *, dispensable: str) -> bool:
        try:
            return self._report(path, body, task_id=task_id, raised=frozenset(("payload_too_large",))) is not None
        except GatewayError as error:
            if self._strict or dispensable not in body:
                self._note_failure(error)
                if self._strict:
                    raise
                return False
            logger.warning("the %s of task %s is left out: %s", dispensable, task_id, error)
        body.pop(dispensable)
        return self._publish(path, body, task_id=task_id)

    def _report(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        task_id: Optional[str] = None,
        may_be_skipped: bool = False,
        held_seconds: float = 0.0,
        raised: FrozenSet[str] = frozenset(),
    ) -> Any:
        """The gateway's answer to a report, ``{}`` where it has none; None when the gateway did not take it. Errors
        whose code is in ``raised`` are left to the caller.

        Only GatewayError is caught: what is raised from outside, such as Celery's SoftTimeLimitExceeded, belongs to
        the task. Ends are always tried, progress is skipped while the gateway is known to be silent.
        """
        try:
            if may_be_skipped and self._transport.is_paused:
                raise GatewayError("circuit_open", f"POST {path}: not tried, {self.url} did not answer a moment ago")
            content = encode(body, strict=self._strict)
            answer = self._transport.request("POST", path, content, held_seconds=held_seconds)
        except GatewayError as error:
            if error.code in raised:
                raise
            self._note_failure(error)
            if self._strict:
                raise
            return None
        self._note_success()
        if task_id is not None:
            self._note_answer(task_id, answer)
        return {} if answer is None else answer

    def _note_success(self) -> None:
        with self._lock:
            self._sent += 1

    def _note_answer(self, task_id: str, answer: Any) -> None:
        if not isinstance(answer, dict) or not isinstance(answer.get("cancel_requested"), bool):
            return
        with self._lock:
            self._cancel_requests[task_id] = (answer["cancel_requested"], time.monotonic())
            self._cancel_requests.move_to_end(task_id)
            while len(self._cancel_requests) > REMEMBERED_TASK_COUNT_MAX:
                self._cancel_requests.popitem(last=False)

    def _note_failure(self, error: GatewayError) -> None:
        now = time.monotonic()
        with self._lock:
            if error.code == "circuit_open":
                self._skipped += 1
            else:
                self._failed += 1
            if now - self._warned_at < WARNING_PAUSE_SECONDS:
                self._unwarned += 1
                return
            unwarned, self._unwarned = self._unwarned, 0
            self._warned_at = now
        suffix = f" ({unwarned} more since the last warning)" if unwarned else ""
        logger.warning("report not delivered, the task goes on: %s%s", error, suffix)

    def _start_afresh(self) -> None:
        # Another thread of the parent may have held the lock at the fork; nobody in the child will release it.
        self._lock = threading.Lock()
        self._cancel_requests = OrderedDict()
        self._sent = self._failed = self._skipped = self._unwarned = 0
