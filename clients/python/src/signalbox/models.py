"""The values that callers hand in and get back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional


@dataclass
class UserConfirmation:
    """What a person, or the deadline in their place, decided.

    ``resolved_by`` says who: ``user``, ``timeout``, ``withdrawn``; ``unreachable`` when no gateway could be asked and
    the default was taken. It does not take part in comparisons, and ``dict()`` has the two fields that the class
    always had.
    """

    proceed: bool
    feedback: Optional[str] = None
    resolved_by: Optional[str] = field(default=None, compare=False)

    def dict(self) -> Dict[str, Any]:
        return {"proceed": self.proceed, "feedback": self.feedback}

    model_dump = dict


@dataclass
class TaskStepResult:
    """One step of a task, as it is shown to the person who is asked whether to go on."""

    step: str
    result: Any = None
    completed: bool = False
    message: str = ""
    status: str = ""
    error_code: Optional[str] = None
    error_message: Optional[str] = None

    def dict(self) -> Dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}

    model_dump = dict


@dataclass(frozen=True)
class Statistics:
    """What became of this process's requests so far."""

    sent: int
    """Requests that the gateway answered with 2xx."""
    failed: int
    """Requests that the gateway refused or that did not reach it."""
    skipped: int
    """Publishes that were not tried because the gateway had just failed to answer."""


def step_result_body(step_result: Any) -> Dict[str, Any]:
    """The JSON members of a step result: ours, a pydantic model of either generation, a dataclass or a mapping."""
    if isinstance(step_result, Mapping):
        return dict(step_result)
    for method in ("model_dump", "dict"):
        dump = getattr(step_result, method, None)
        if callable(dump):
            return dict(dump())
    if dataclasses.is_dataclass(step_result) and not isinstance(step_result, type):
        return {each.name: getattr(step_result, each.name) for each in dataclasses.fields(step_result)}
    raise TypeError(f"step_result is a {type(step_result).__name__}, must be a TaskStepResult or a mapping")
