"""The HTTP API through urllib3."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional
from urllib.parse import quote

import urllib3

from .process import API_KEY

ANSWER_SECONDS_MAX = 10.0


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        """The problem's code; the answer must be a whole problem (RFC 9457)."""
        assert self.headers.get("content-type", "").split(";")[0] == "application/problem+json", self
        problem = self.body
        assert problem["status"] == self.status, self
        assert problem["type"] == f"urn:signalbox:problem:{problem['code']}", self
        assert problem["title"] and isinstance(problem["detail"], str), self
        return problem["code"]


class Api:
    """Requests with one credential. ``key=None`` sends none."""

    def __init__(self, url: str, key: Optional[str] = API_KEY) -> None:
        self.url = url
        self.key = key
        self._pool = urllib3.connection_from_url(url, maxsize=4, retries=False, timeout=ANSWER_SECONDS_MAX)

    def using(self, key: Optional[str]) -> "Api":
        return Api(self.url, key)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: Optional[bytes] = None,
        content_type: str = "application/json",
        headers: Optional[Mapping[str, str]] = None,
    ) -> Answer:
        sent: Dict[str, str] = {}
        if self.key is not None:
            sent["Authorization"] = f"Bearer {self.key}"
        if content is None and body is not None:
            content = json.dumps(body, ensure_ascii=False).encode()
        if content is not None and content_type:
            sent["Content-Type"] = content_type
        sent.update(headers or {})
        response = self._pool.request(method, path, body=content, headers=sent, redirect=False)
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, response.data)

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.request("POST", path, {} if body is None and "content" not in options else body, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        return self.request("DELETE", path, **options)

    # The calls that most tests make, each checked for its success

    def register(self, task_id: str, **members: Any) -> Dict[str, Any]:
        answer = self.post("/api/v1/tasks", {"task_id": task_id, **members})
        assert answer.status == 201, answer
        return answer.body

    def progress(self, task_id: str, progress: Any = 1, **members: Any) -> Dict[str, Any]:
        answer = self.post(f"/api/v1/tasks/{quote(task_id, safe='')}/progress", {"progress": progress, **members})
        assert answer.status == 202, answer
        return answer.body

    def complete(self, task_id: str, **members: Any) -> Dict[str, Any]:
        answer = self.post(f"/api/v1/tasks/{quote(task_id, safe='')}/complete", members)
        assert answer.status == 200, answer
        return answer.body

    def error(self, task_id: str, error: str, **members: Any) -> Dict[str, Any]:
        answer = self.post(f"/api/v1/tasks/{quote(task_id, safe='')}/error", {"error": error, **members})
        assert answer.status == 200, answer
        return answer.body

    def cancel(self, task_id: str, **members: Any) -> Dict[str, Any]:
        answer = self.post(f"/api/v1/tasks/{quote(task_id, safe='')}/cancel", members)
        assert answer.status == 202, answer
        return answer.body

    def acknowledge_cancel(self, task_id: str) -> None:
        answer = self.post(f"/api/v1/tasks/{quote(task_id, safe='')}/cancel/ack")
        assert answer.status == 200, answer

    def task(self, task_id: str) -> Dict[str, Any]:
        answer = self.get(f"/api/v1/tasks/{quote(task_id, safe='')}")
        assert answer.status == 200, answer
        return answer.body

    def status(self) -> Dict[str, Any]:
        answer = self.get("/api/v1/status")
        assert answer.status == 200, answer
        return answer.body

    def confirmation(self, wait: float = 0, **members: Any) -> Dict[str, Any]:
        body = {
            "task_id": "task-1",
            "user_id": "user-1",
            "step": 1,
            "step_result": {"step": "check", "result": None, "completed": True, "message": "go on?", "status": "ok"},
            **members,
        }
        answer = self.post(f"/api/v1/confirmations?wait={wait:g}" if wait else "/api/v1/confirmations", body)
        assert answer.status == 201, answer
        return answer.body


_numbers = itertools.count(1)


def fresh(prefix: str = "task") -> str:
    """A name that no other test of this run uses."""
    return f"{prefix}-{os.getpid()}-{next(_numbers)}"
