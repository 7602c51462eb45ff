"""Clients that are careful as clients should be: they ask again until they are answered, come back to where they were,
and write down all that they are told (`Notes`). What contradicts what was told before is a failure at once; what is
missing is found afterwards."""

from __future__ import annotations

import json
import random
import threading
import time
import traceback
from typing import Any, Callable, Dict, List, Optional, Tuple

import urllib3
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from .notes import PAUSE_SECONDS, Address, Notes, Over, TaskNote
from .process import API_KEY

BROKEN = (OSError, EOFError, urllib3.exceptions.HTTPError, ConnectionClosed, InvalidHandshake)
"""What a connection to a gateway that was killed ends with; TimeoutError is an OSError."""

TERMINAL = ("complete", "error", "cancelled")
Place = Tuple[str, int, int]
"""Epoch, offset, and the life of the gateway that told it."""


class Client(threading.Thread):
    """One thread of a client's, with a random generator of its own."""

    def __init__(self, notes: Notes, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.notes = notes
        self.random = random.Random(f"{notes.seed} {name}")
        self.address: Optional[Address] = None
        self._pool: Any = None
        self._number = 0

    def run(self) -> None:
        try:
            while not self.notes.is_over.is_set():
                self.work()
        except Over:
            pass
        except Exception:
            self.notes.fail(f"{self.name}: {traceback.format_exc()}")

    def work(self) -> None:
        raise NotImplementedError

    def fresh(self, what: str) -> str:
        self._number += 1
        return f"{what}-{self.name}-{self._number}"

    def pause(self, seconds: float) -> None:
        time.sleep(self.random.uniform(0, 2 * seconds))

    def once(self, method: str, path: str, body: Any = None, key: Optional[str] = None) -> Tuple[int, bytes, bool]:
        """Status, content, and whether it is a replay. Raises one of BROKEN where no answer comes."""
        address = self.notes.address()
        if address is not self.address:
            self.address = address
            self._pool = urllib3.HTTPConnectionPool(address.host, address.port, maxsize=1, retries=False, timeout=10)
        headers = {"Authorization": f"Bearer {API_KEY}"}
        if key:
            headers["Idempotency-Key"] = key
        content = body
        if body is not None and not isinstance(body, bytes):
            content, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        elif body is not None:
            headers["Content-Type"] = "application/x-ndjson"
        response = self._pool.request(method, path, body=content, headers=headers)
        return response.status, response.data, "idempotency-replayed" in response.headers

    def insist(
        self, method: str, path: str, body: Any = None, key: Optional[str] = None
    ) -> Tuple[int, bytes, bool, int]:
        """As `once`, until there is an answer that is not `try again`; besides, how often it was asked."""
        tries = 0
        while True:
            tries += 1
            try:
                status, content, is_replay = self.once(method, path, body, key)
            except BROKEN:
                self.notes.count("unanswered")
                time.sleep(PAUSE_SECONDS)
                continue
            if status == 503:
                time.sleep(PAUSE_SECONDS)
                continue
            return status, content, is_replay, tries


class Publisher(Client):
    """Registers tasks, reports, asks for cancels and ends them. `pace` is the seconds between two calls."""

    def __init__(self, notes: Notes, name: str, *, task_count: int, report_count: int, pace: float) -> None:
        super().__init__(notes, name)
        self._task_count, self._report_count, self._pace = task_count, report_count, pace

    def work(self) -> None:
        tasks = [TaskNote(self.fresh("task"), title=f"title of {self.name}") for _ in range(self._task_count)]
        self.notes.tasks += tasks
        for task in tasks:
            self._register(task)
        for _ in range(self.random.randint(1, 2 * self._report_count)):
            for task in tasks:
                self._report(task)
                self.pause(self._pace)
                if self.random.random() < 0.02:
                    self._cancel(task)
        for task in tasks:
            self._end(task)
            self.pause(self._pace)

    def _key(self, what: str) -> Optional[str]:
        return self.fresh(what) if self.random.random() < 0.5 else None

    def _keep(self, key: Optional[str], path: str, body: Any, status: int, content: bytes) -> None:
        if key:
            self.notes.kept[path, key] = (body, status, content)

    def _register(self, task: TaskNote) -> None:
        key, body = self._key("register"), {"task_id": task.name, "title": task.title}
        status, content, _, tries = self.insist("POST", "/api/v1/tasks", body, key)
        assert status == 201 or (status == 200 and tries > 1 and not key), (status, content)
        self._keep(key, "/api/v1/tasks", body, status, content)
        task.is_registered = True

    def _report(self, task: TaskNote) -> None:
        task.number += 1
        body = {"progress": min(99, task.number / 10), "details": {"n": task.number}}
        try:
            status, content, _ = self.once("POST", f"/api/v1/tasks/{task.name}/progress", body)
        except BROKEN:
            # Whether it was taken is not known, and the next one says more.
            task.place = None
            return
        if status == 503:
            return
        assert status == 202, (status, content)
        receipt = json.loads(content)
        place = (receipt["epoch"], receipt["offset"])
        if task.place and task.place[0] == place[0] and task.place[1] + 1 != place[1]:
            self.notes.fail(f"{task.name}: {place} came after {task.place}")
        if receipt["cancel_requested"] is not True and task.is_cancel_requested:
            self.notes.fail(f"{task.name}: the cancel was answered, and then {receipt}")
        task.place = place
        task.receipts.append((time.monotonic(), task.number))
        self.notes.count("reports")

    def _cancel(self, task: TaskNote) -> None:
        key, path, body = self._key("cancel"), f"/api/v1/tasks/{task.name}/cancel", {"reason": "enough"}
        status, content, _, _ = self.insist("POST", path, body, key)
        assert status == 202, (status, content)
        self._keep(key, path, body, status, content)
        task.is_cancel_requested = True
        self.notes.count("cancels")

    def _end(self, task: TaskNote) -> None:
        mark = self.fresh("end")
        call, body, status_word = self.random.choice([
            ("complete", {"result": {"mark": mark}}, "completed"),
            ("complete", {"success": False, "message": mark}, "failed"),
            ("error", {"error": mark}, "failed"),
            ("cancel/ack", {"message": mark}, "cancelled"),
            ("progress", {"status": "failed", "message": mark}, "failed"),
        ])  # fmt: skip
        end: Dict[str, Any] = {"status": status_word, "mark": mark}
        bulk = call in ("complete", "error") and self.random.random() < 0.3
        path = "/api/v1/publish" if bulk else f"/api/v1/tasks/{task.name}/{call}"
        sent: Any = json.dumps({"op": call, "task_id": task.name, **body}).encode() if bulk else body
        # `progress` takes no key.
        key = None if call == "progress" else self._key("end")
        status, content, _, tries = self.insist("POST", path, sent, key)
        answer = json.loads(content)
        if bulk and status == 200 and answer["rejected"]:
            status, answer = answer["rejected"][0]["error"]["status"], answer["rejected"][0]["error"]
        if status == 409:
            # The first try was taken, and its answer lost. A key would have brought it; but the answer to lines in bulk
            # is kept only when all the homes that carry them out have answered.
            assert answer["code"] == "task_finished" and tries > 1 and (bulk or not key), (tries, key, content)
        else:
            assert status == (202 if call == "progress" else 200), (status, content)
            self._keep(key, path, sent, status, content)
            if not bulk:
                end.update(epoch=answer["epoch"], offset=answer["offset"])
        task.end = end
        self.notes.count("ends")


class SocketWatcher(Client):
    """Watches tasks through a WebSocket and comes back to each where it was."""

    COUNT = 12

    def work(self) -> None:
        places: Dict[str, Place] = {}
        followed: Dict[str, int] = {}
        for _ in range(8):
            names = [task.name for task in self.notes.tasks[-60:]]
            for name in self.random.sample(names, min(len(names), self.COUNT)):
                if len(followed) < 2 * self.COUNT:
                    followed.setdefault(name, 0)
            try:
                self._watch(list(followed), places)
            except BROKEN:
                pass
            time.sleep(PAUSE_SECONDS)

    def _watch(self, names: List[str], places: Dict[str, Place]) -> None:
        address = self.notes.address()
        until = time.monotonic() + self.random.uniform(0.3, 1.5)
        url = f"ws://{address.host}:{address.port}/ws"
        with connect(url, proxy=None, close_timeout=1, ping_interval=None) as socket:
            for name in names:
                message: Dict[str, Any] = {"action": "subscribe", "task_id": name, "wait": True}
                if name in places:
                    message["since"] = {"epoch": places[name][0], "offset": places[name][1]}
                socket.send(json.dumps(message))
            while time.monotonic() < until:
                try:
                    message = json.loads(socket.recv(timeout=0.1))
                except TimeoutError:
                    continue
                self._take(message, address.life, places)

    def _take(self, message: Dict[str, Any], life: int, places: Dict[str, Place]) -> None:
        kind, name = message["type"], message.get("task_id")
        if kind == "subscription_confirmed":
            place = places.get(name)
            epoch, offset = message["epoch"], message["offset"]
            if message["recovered"]:
                if place is None or (epoch, offset) != place[:2]:
                    self.notes.fail(f"{name}: {message} recovered {place}")
                self.notes.count("recovered")
            else:
                if place and place[2] == life:
                    self.notes.fail(f"{name}: {place} was told by the gateway that did not recover it: {message}")
                if place and epoch == place[0] and offset < place[1]:
                    self.notes.fail(f"{name}: {place} was told, and then the snapshot {epoch}:{offset}")
                if place:
                    self.notes.count("not recovered")
            if epoch is not None:
                places[name] = (epoch, offset, life)
        elif kind in ("progress", "node_status", *TERMINAL):
            epoch, offset = message["epoch"], message["offset"]
            place = places.get(name)
            expected = (place[1] if place and place[0] == epoch else 0) + 1 + message.get("skipped", 0)
            if offset != expected:
                self.notes.fail(f"{name}: {message} came after {place}")
            places[name] = (epoch, offset, life)
            self.notes.saw_event(
                name, epoch, offset,
                {key: value for key, value in message.items() if key not in ("epoch", "offset", "task_id")},
            )  # fmt: skip


class StreamWatcher(Client):
    """Follows one task after the other to its end, through server-sent events."""

    def work(self) -> None:
        if not self.notes.tasks:
            time.sleep(PAUSE_SECONDS)
            return
        name = self.random.choice(self.notes.tasks[-20:]).name
        place: Optional[Place] = None
        until = time.monotonic() + 5
        while time.monotonic() < until and not self.notes.is_over.is_set():
            try:
                place, is_over = self._follow(name, place)
            except BROKEN:
                is_over = False
            if is_over:
                return
            time.sleep(PAUSE_SECONDS)

    def _follow(self, name: str, place: Optional[Place]) -> Tuple[Optional[Place], bool]:
        """Where it came to, and whether that is the end."""
        address = self.notes.address()
        pool = urllib3.HTTPConnectionPool(address.host, address.port, maxsize=1, retries=False, timeout=1)
        headers = {"Last-Event-ID": f"{place[0]}:{place[1]}"} if place else {}
        answer = pool.request("GET", f"/api/v1/sse/tasks/{name}", headers=headers, preload_content=False)
        try:
            if answer.status == 404:
                return place, True
            if answer.status != 200:
                return place, False
            rest = b""
            is_first = True
            while True:
                try:
                    piece = answer.read1(65536)
                except BROKEN:
                    piece = b""
                if not piece:
                    return place, False
                *blocks, rest = (rest + piece).split(b"\n\n")
                for block in blocks:
                    members = dict(line.split(": ", 1) for line in block.decode().split("\n") if ": " in line)
                    if "id" not in members:
                        continue
                    place, is_over = self._take(name, members, place, address.life, is_first)
                    is_first = False
                    if is_over:
                        return place, True
        finally:
            answer.close()
            pool.close()

    def _take(
        self, name: str, members: Dict[str, str], place: Optional[Place], life: int, is_first: bool
    ) -> Tuple[Place, bool]:
        epoch, _, number = members["id"].rpartition(":")
        offset, data = int(number), json.loads(members["data"])
        after: Place = (epoch, offset, life)
        if members["event"] == "snapshot":
            if place and place[2] == life:
                self.notes.fail(f"{name}: {place} was told by the gateway that did not recover it: {members}")
            return after, data["status"] in ("completed", "failed", "cancelled")
        if members["event"] not in ("progress", *TERMINAL):
            return after, False
        if is_first and place and place[0] != epoch:
            self.notes.fail(f"{name}: {members} goes on from {place}")
        if place and place[1] + 1 + data.get("skipped", 0) != offset:
            self.notes.fail(f"{name}: {members} came after {place}")
        event = {key: value for key, value in data.items() if key not in ("epoch", "offset", "task_id")}
        self.notes.saw_event(name, epoch, offset, {"type": members["event"], **event})
        self.notes.count("streamed")
        return after, members["event"] in TERMINAL


class Asker(Client):
    """Asks users, waits for what they say, and sometimes changes its mind."""

    def __init__(self, notes: Notes, name: str, user: str) -> None:
        super().__init__(notes, name)
        self._user = user

    def work(self) -> None:
        body = {
            "task_id": self.fresh("asked"), "user_id": self._user, "step": 1,
            "step_result": {"step": "s", "message": "go on?", "status": "ok"},
            "timeout": self.random.choice([0.3, 2, 300]), "default_proceed": self.random.random() < 0.5,
        }  # fmt: skip
        key = self.fresh("ask") if self.random.random() < 0.7 else None
        status, content, _, _ = self.insist("POST", "/api/v1/confirmations", body, key)
        assert status == 201, (status, content)
        question = json.loads(content)
        callback = question["callback_id"]
        path = f"/api/v1/confirmations/{callback}"
        self._note(question)
        for _ in range(self.random.randint(0, 2)):
            if self.random.random() < 0.1:
                status, content, _, tries = self.insist("DELETE", path)
                assert status in (200, 409), (status, content)
            status, content, _, _ = self.insist("GET", f"{path}?wait=0.5")
            assert status == 200, (callback, status, content)
            self._note(json.loads(content))
        if key and self.random.random() < 0.3:
            status, content, _, _ = self.insist("POST", "/api/v1/confirmations", body, key)
            assert status == 201 and json.loads(content)["callback_id"] == callback, (callback, status, content)
        self.notes.count("questions")

    def _note(self, question: Dict[str, Any]) -> None:
        self.notes.saw_deadline(question["callback_id"], question["deadline"])
        if question["status"] != "pending":
            self.notes.saw_outcome(question["callback_id"], question)


class User(Client):
    """A user's connection: answers what it is asked, acknowledges what it is sent. Others answer the same questions."""

    def __init__(self, notes: Notes, name: str, user: str, *, is_willing: bool = True) -> None:
        super().__init__(notes, name)
        self._user, self._is_willing = user, is_willing

    def work(self) -> None:
        try:
            address = self.notes.address()
            until = time.monotonic() + self.random.uniform(0.5, 3)
            with connect(
                f"ws://{address.host}:{address.port}/ws", subprotocols=[Subprotocol("signalbox.v1")], proxy=None,
                close_timeout=1, ping_interval=None,
            ) as socket:  # fmt: skip
                socket.send(json.dumps({"action": "subscribe", "user_id": self._user}))
                while time.monotonic() < until and not self.notes.is_over.is_set():
                    try:
                        self._take(json.loads(socket.recv(timeout=0.1)), lambda m: socket.send(json.dumps(m)))
                    except TimeoutError:
                        continue
        except BROKEN:
            pass
        time.sleep(PAUSE_SECONDS)

    def _take(self, message: Dict[str, Any], send: Callable[[Dict[str, Any]], None]) -> None:
        kind, callback = message["type"], message.get("callback_id", "")
        if kind == "task_step_result":
            self.notes.saw_deadline(callback, message["deadline"])
            if self._is_willing and self.random.random() < 0.6:
                proceed = self.random.random() < 0.5
                feedback = self.fresh("feedback")
                send({"action": "confirm", "callback_id": callback, "proceed": proceed, "feedback": feedback})
        elif kind == "confirmation_resolved":
            self.notes.saw_outcome(callback, message)
        elif kind == "confirmation_result":
            if message["status"] in ("accepted", "already_resolved", "expired"):
                self.notes.saw_outcome(callback, message)
            else:
                self.notes.fail(f"{self.name}: {message}")
        elif "message_id" in message:
            self.notes.arrived.add(message["message_id"])
            if self._is_willing and self.random.random() < 0.7:
                send({"action": "ack", "message_id": message["message_id"]})


class Messenger(Client):
    """Sends messages that want an acknowledgement, and looks what became of them."""

    def __init__(self, notes: Notes, name: str, user: str) -> None:
        super().__init__(notes, name)
        self._user = user

    def work(self) -> None:
        key = self.fresh("send")
        path, body = f"/api/v1/users/{self._user}/messages?requires_ack=1", {"type": "notice", "text": key}
        status, content, _, _ = self.insist("POST", path, body, key)
        assert status == 200, (status, content)
        message = json.loads(content)["message_id"]
        self.notes.messages.add(message)
        self.pause(0.2)
        for name in (message, *self.random.sample(sorted(self.notes.messages), min(3, len(self.notes.messages)))):
            status, content, _, _ = self.insist("GET", f"/api/v1/messages/{name}")
            assert status == 200, (name, status, content)
            if json.loads(content)["acked"]:
                self.notes.acknowledged.add(name)
            elif name in self.notes.acknowledged:
                self.notes.fail(f"message {name} was acknowledged, and then {content!r}")
