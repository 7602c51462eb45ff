"""What clients of a gateway were told, so that nothing of it can be taken back unnoticed."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Set, Tuple

PAUSE_SECONDS = 0.02


@dataclass
class Address:
    """Where the gateway of the moment listens."""

    host: str
    port: int
    life: int
    """Counts the gateways that did not stop in order: within one, histories are whole and epochs stay."""


@dataclass
class TaskNote:
    """What a task's publisher knows of it."""

    name: str
    title: str
    number: int = 0
    """Of the last report; every report has a higher one, whatever becomes of its answer."""
    receipts: List[Tuple[float, int]] = field(default_factory=list)
    """When a report was answered, and its number."""
    place: Optional[Tuple[str, int]] = None
    is_registered: bool = False
    is_cancel_requested: bool = False
    end: Optional[Dict[str, Any]] = None
    """Once it was answered: `status`, `mark`, and `epoch` and `offset` where the answer had them."""


class Notes:
    """What everybody was told. Any thread."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.failures: List[str] = []
        self.is_over = threading.Event()
        self._lock = threading.Lock()
        self._address: Optional[Address] = None
        self.tasks: List[TaskNote] = []
        self.events: Dict[Tuple[str, str, int], str] = {}
        self.outcomes: Dict[str, str] = {}
        self.deadlines: Dict[str, float] = {}
        self.kept: Dict[Tuple[str, str], Tuple[Any, int, bytes]] = {}
        self.messages: Set[str] = set()
        self.arrived: Set[str] = set()
        self.acknowledged: Set[str] = set()
        self.counts: Dict[str, int] = {}

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def fail(self, sentence: str) -> None:
        self.failures.append(sentence)

    # The gateway of the moment

    def moved(self, address: Optional[Address]) -> None:
        self._address = address

    def address(self) -> Address:
        """Waits for one."""
        while True:
            address = self._address
            if address is not None:
                return address
            if self.is_over.is_set():
                raise Over
            time.sleep(PAUSE_SECONDS)

    # What may never be contradicted

    def saw_event(self, task: str, epoch: str, offset: int, event: Dict[str, Any]) -> None:
        content = json.dumps({name: value for name, value in event.items() if name != "skipped"}, sort_keys=True)
        with self._lock:
            known = self.events.setdefault((task, epoch, offset), content)
        if known != content:
            self.fail(f"{task} {epoch}:{offset} is two events:\n  {known}\n  {content}")
        self.count("events")

    def saw_outcome(self, callback: str, message: Dict[str, Any]) -> None:
        content = json.dumps([message[name] for name in ("proceed", "feedback", "resolved_by")])
        with self._lock:
            known = self.outcomes.setdefault(callback, content)
        if known != content:
            self.fail(f"{callback} has two outcomes: {known}, {content}")
        self.count("outcomes")

    def saw_deadline(self, callback: str, deadline: float) -> None:
        with self._lock:
            known = self.deadlines.setdefault(callback, deadline)
        if known != deadline:
            self.fail(f"{callback} had the deadline {known}, and then {deadline}")


class Over(Exception):
    """There is nothing more to be done."""
