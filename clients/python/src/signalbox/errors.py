"""The one exception of this package."""

from __future__ import annotations

from typing import Optional


class GatewayError(Exception):
    """A request that the gateway refused, or that never reached it.

    ``code`` is the gateway's problem code (``task_finished``, ``unauthorized`` …) or one of this client's own:
    ``unreachable`` (no connection, or it broke), ``timeout``, ``circuit_open`` (not tried, because the gateway did
    not answer a moment ago), ``unencodable`` (the value has no form in JSON), ``bad_answer`` (not what a gateway says).
    ``status`` is the HTTP status, None where there was no answer.
    """

    def __init__(self, code: str, detail: str, status: Optional[int] = None) -> None:
        super().__init__(f"{code}: {detail}" if status is None else f"{status} {code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status

    def __reduce__(self) -> "tuple[type[GatewayError], tuple[str, str, Optional[int]]]":
        # Celery pickles exceptions between processes; the default would call __init__ with the message alone.
        return (type(self), (self.code, self.detail, self.status))
