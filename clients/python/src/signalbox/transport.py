"""HTTP requests to one gateway: bounded in time, safe across fork, never retried."""

from __future__ import annotations

import json
import os
import threading
import time
import weakref
from typing import Any, Dict, Mapping, Optional, Tuple, Union
from urllib.parse import urlsplit

import urllib3

from .errors import GatewayError

CONNECTION_COUNT_MAX = 8
"""Idle connections kept by a process. More threads than this open short-lived ones beside them."""

ANSWER_BYTE_COUNT_MAX = 16 << 20
"""A longer answer is not one of a gateway's."""

CIRCUIT_FAILURE_COUNT = 3
"""So many requests in a row without an answer, and publishes pause: a gateway that swallows packets must not cost a
task its timeout for every progress report."""

CIRCUIT_PAUSE_SECONDS_MIN = 0.5
CIRCUIT_PAUSE_SECONDS_MAX = 15.0
"""The pause doubles from the one to the other while the gateway stays silent."""

Timeout = Union[float, Tuple[float, float]]

_transports: "weakref.WeakSet[Transport]" = weakref.WeakSet()


def _forget_the_parents_connections() -> None:
    for transport in list(_transports):
        transport._start_afresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_the_parents_connections)


class Transport:
    """The connections of this process to one gateway.

    Connections are never shared with a child: two processes that write on one socket would mix their requests and
    read each other's answers. A forked child (Celery's prefork pool) starts with no connection and no held lock.
    """

    def __init__(self, url: str, api_key: Optional[str], timeout: Timeout) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"the gateway's url is {url!r}, must be like http://127.0.0.1:8765")
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._path_prefix = parts.path.rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": "signalbox-python"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        connect_seconds, read_seconds = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        if connect_seconds <= 0 or read_seconds <= 0:
            raise ValueError(f"timeout is {timeout!r}, must be positive seconds or a pair (connect, read) of them")
        self._connect_seconds = float(connect_seconds)
        self._read_seconds = float(read_seconds)
        self._start_afresh()
        _transports.add(self)

    def _start_afresh(self) -> None:
        self._process_identifier = os.getpid()
        self._lock = threading.Lock()
        self._pool: Optional[urllib3.HTTPConnectionPool] = None
        self._failure_count = 0
        self._paused_until = 0.0

    @property
    def is_paused(self) -> bool:
        """Whether publishes should not even be tried now."""
        return time.monotonic() < self._paused_until

    def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def request(
        self,
        method: str,
        path: str,
        body: Optional[bytes] = None,
        *,
        held_seconds: float = 0.0,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Any:
        """One request; the answer's JSON. ``held_seconds`` is how long the gateway was asked to hold it.

        Raises GatewayError and nothing else of its own. Exceptions that come from outside (KeyboardInterrupt,
        Celery's SoftTimeLimitExceeded) pass through, and the connection is dropped.
        """
        sent_headers: Dict[str, str] = dict(self._headers)
        if body is not None:
            sent_headers["Content-Type"] = "application/json"
        if headers:
            sent_headers.update(headers)
        try:
            response = self._pool_of_this_process().urlopen(
                method,
                self._path_prefix + path,
                body=body,
                headers=sent_headers,
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=self._connect_seconds, read=self._read_seconds + held_seconds),
                preload_content=False,
            )
            try:
                content = response.read(ANSWER_BYTE_COUNT_MAX + 1)
                if len(content) > ANSWER_BYTE_COUNT_MAX:
                    raise GatewayError("bad_answer", f"the answer has more than {ANSWER_BYTE_COUNT_MAX} bytes")
                response.drain_conn()
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except urllib3.exceptions.NewConnectionError as error:  # to urllib3 it is a kind of timeout
            self._count_failure()
            raise GatewayError("unreachable", f"{method} {path}: no connection to {self.url}: {error}") from error
        except urllib3.exceptions.TimeoutError as error:
            self._count_failure()
            raise GatewayError("timeout", f"{method} {path}: no answer from {self.url} in time") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._count_failure()
            raise GatewayError("unreachable", f"{method} {path}: {self.url} did not answer: {error}") from error
        self._failure_count = 0
        self._paused_until = 0.0
        return _answer(method, path, response.status, content)

    def _pool_of_this_process(self) -> urllib3.HTTPConnectionPool:
        if self._process_identifier != os.getpid():
            # A fork that ran no hooks (os.register_at_fork does not exist, or a C extension forked).
            self._start_afresh()
        with self._lock:
            if self._pool is None:
                self._pool = urllib3.connection_from_url(self.url, maxsize=CONNECTION_COUNT_MAX, block=False)
            return self._pool

    def _count_failure(self) -> None:
        with self._lock:
            self._failure_count += 1
            beyond = self._failure_count - CIRCUIT_FAILURE_COUNT
            if beyond >= 0:
                pause = CIRCUIT_PAUSE_SECONDS_MIN * 2.0 ** min(beyond, 16)
                self._paused_until = time.monotonic() + min(pause, CIRCUIT_PAUSE_SECONDS_MAX)


def _answer(method: str, path: str, status: int, content: bytes) -> Any:
    try:
        answer = json.loads(content) if content else None
    except ValueError:  # UnicodeDecodeError is one
        answer = None
        if 200 <= status < 300:
            raise GatewayError(
                "bad_answer", f"{method} {path}: {status} with a body that is not JSON", status
            ) from None
    if 200 <= status < 300:
        return answer
    problem = answer if isinstance(answer, dict) else {}
    code = problem.get("code")
    detail = problem.get("detail") or problem.get("title") or "no detail"
    raise GatewayError(code if isinstance(code, str) else "bad_answer", f"{method} {path}: {detail}", status)
