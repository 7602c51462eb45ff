"""The drop test: clients whose TCP connections break again and again, and who must have every message exactly once.

Python's standard library only: `Benchmarks/drop_test.py` uses it too. It runs itself as a script for the processes that
hold the clients. Each is one loop on epoll, so that ten thousand clients leave the machine to the gateway.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import heapq
import http.client
import json
import os
import pathlib
import select
import socket
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Optional, Tuple

READY_SECONDS_MAX = 120.0
# From the last message until the last client must have it.
SETTLE_SECONDS_MAX = 30.0
# Connections that are being opened at once, so that neither side's queue of half-open ones overflows at the beginning.
OPENING_COUNT_MAX = 256
# Source addresses, so that ports of connections that have just been closed do not run out.
SOURCE_COUNT = 16
# Socket option of Linux: the port is chosen when connecting, by what is free for that destination.
IP_BIND_ADDRESS_NO_PORT = 24
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


@dataclass(frozen=True)
class Profile:
    client_count: int
    message_count: int
    messages_per_second: float
    drop_every_seconds: float
    offline_seconds: float
    process_count: int = 1
    task_count: int = 1


@dataclass
class Report:
    """Sums over clients."""

    expected: int = 0
    delivered: int = 0
    """Messages that a client had not had before, with the content that was published."""
    duplicates: int = 0
    gaps: int = 0
    """Messages that were left out, whether or not `skipped` said so."""
    not_recovered: int = 0
    """Resumptions that were answered with a snapshot."""
    wrong: int = 0
    """Messages with another content than was published, and frames that make no sense."""
    drops: int = 0
    resumptions: int = 0
    refusals: int = 0
    """Connections that were refused or closed by the gateway."""
    complete_clients: int = 0
    client_count: int = 0
    resume_seconds: List[float] = field(default_factory=list)
    """From connecting again to the answer to `since`: sorted."""

    def add(self, other: "Report") -> None:
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)
        self.resume_seconds.sort()

    @property
    def is_whole(self) -> bool:
        return (
            self.delivered == self.expected
            and self.complete_clients == self.client_count
            and not (self.duplicates or self.gaps or self.not_recovered or self.wrong)
        )

    def resume_percentile(self, share: float) -> float:
        if not self.resume_seconds:
            return 0.0
        return self.resume_seconds[min(len(self.resume_seconds) - 1, int(share * len(self.resume_seconds)))]

    def __str__(self) -> str:
        share = 100 * self.delivered / self.expected if self.expected else 0.0
        return (
            f"delivered {self.delivered} of {self.expected} ({share:.4f} %), to the last message"
            f" {self.complete_clients} of {self.client_count} clients\n"
            f"duplicates {self.duplicates}, gaps {self.gaps}, not recovered {self.not_recovered}, wrong {self.wrong}\n"
            f"forced closes {self.drops}, resumptions {self.resumptions}, refused or closed by the gateway"
            f" {self.refusals}\n"
            f"from connecting again to the answer to since: median {1000 * self.resume_percentile(0.5):.1f} ms,"
            f" p99 {1000 * self.resume_percentile(0.99):.1f} ms, longest {1000 * self.resume_percentile(1):.1f} ms"
        )


# The process that holds clients


class Connected:
    """One client: what it has, and its connection of the moment."""

    __slots__ = (
        "buffer", "epoch", "has_upgraded", "index", "is_subscribed", "last", "received", "since_at", "socket", "task",
    )  # fmt: skip

    def __init__(self, index: int, task: str) -> None:
        self.index, self.task = index, task
        self.socket: Optional[socket.socket] = None
        self.buffer = b""
        self.has_upgraded = self.is_subscribed = False
        self.epoch: Optional[str] = None
        self.last = self.received = 0
        self.since_at = 0.0


class Crowd:
    """Clients of one process."""

    def __init__(self, host: str, port: int, profile: Profile, tasks: List[str], indices: range) -> None:
        self.address, self.profile = (host, port), profile
        self.report = Report(client_count=len(indices), expected=len(indices) * profile.message_count)
        self.clients = [Connected(index, tasks[index % len(tasks)]) for index in indices]
        self.by_descriptor: Dict[int, Connected] = {}
        self.poller = select.epoll()
        # Time, index of the client, and whether it is to be closed or opened.
        self.agenda: List[Tuple[float, int, bool]] = []
        self.first_index = indices.start
        self.subscribed_count = 0
        # Connections are broken as long as there is something to miss.
        self.last_drop_at = float("inf")

    def open_all(self) -> None:
        """Every client connects and subscribes for the first time."""
        waiting = list(reversed(self.clients))
        until = time.monotonic() + READY_SECONDS_MAX
        while self.subscribed_count < len(self.clients):
            opening = len(self.by_descriptor) - self.subscribed_count
            while waiting and opening < OPENING_COUNT_MAX:
                self._open(waiting.pop())
                opening += 1
            self._poll(0.1)
            self._work_off()
            if time.monotonic() > until:
                raise SystemExit(f"{self.subscribed_count} of {len(self.clients)} clients have subscribed")

    def run(self, begins_at: float) -> None:
        """Until every client has everything, or the time is over."""
        profile = self.profile
        last_message_at = begins_at + profile.message_count / profile.messages_per_second
        self.last_drop_at = last_message_at
        ends_at = last_message_at + SETTLE_SECONDS_MAX
        for client in self.clients:
            # Spread over the period, each at its own place.
            share = client.index / profile.client_count
            self._plan(begins_at + share * profile.drop_every_seconds, client, closes=True)
        while time.monotonic() < ends_at:
            self._work_off()
            wait = self.agenda[0][0] - time.monotonic() if self.agenda else 0.1
            self._poll(min(max(wait, 0.0), 0.1))
            if time.monotonic() > last_message_at and self._is_done():
                break
        for client in self.clients:
            self.report.delivered += client.received
            self.report.complete_clients += client.last == profile.message_count

    def _is_done(self) -> bool:
        return not self.agenda and all(client.last == self.profile.message_count for client in self.clients)

    def _plan(self, at: float, client: Connected, closes: bool) -> None:
        heapq.heappush(self.agenda, (at, client.index, closes))

    def _work_off(self) -> None:
        now = time.monotonic()
        while self.agenda and self.agenda[0][0] <= now:
            at, index, closes = heapq.heappop(self.agenda)
            client = self.clients[index - self.first_index]
            if not closes:
                if client.socket is None:
                    self._open(client)
                continue
            if client.socket is not None:
                self.report.drops += 1
                # Every second one with a reset, which throws away what the gateway has sent and nobody has read.
                self._close(client, resets=self.report.drops % 2 == 0)
            self._plan(at + self.profile.offline_seconds, client, closes=False)
            if at + self.profile.drop_every_seconds <= self.last_drop_at:
                self._plan(at + self.profile.drop_every_seconds, client, closes=True)

    # Connections

    def _open(self, client: Connected) -> None:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        made.setsockopt(socket.SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        made.bind((f"127.0.0.{2 + client.index % SOURCE_COUNT}", 0))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.socket, client.buffer = made, b""
        client.has_upgraded = client.is_subscribed = False
        client.since_at = time.monotonic()
        self.by_descriptor[made.fileno()] = client
        code = made.connect_ex(self.address)
        if code not in (0, errno.EINPROGRESS):
            return self._lost(client)
        self.poller.register(made.fileno(), select.EPOLLOUT)

    def _close(self, client: Connected, resets: bool) -> None:
        closing = client.socket
        assert closing is not None
        self.by_descriptor.pop(closing.fileno(), None)
        if client.is_subscribed:
            self.subscribed_count -= 1
        client.socket = None
        if resets:
            closing.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Closing takes it out of the poller.
        closing.close()

    def _lost(self, client: Connected) -> None:
        """Not by us: it comes again in a moment."""
        self.report.refusals += 1
        self._close(client, resets=False)
        self._plan(time.monotonic() + 0.2, client, closes=False)

    def _poll(self, seconds: float) -> None:
        for descriptor, what in self.poller.poll(seconds, 512):
            client = self.by_descriptor.get(descriptor)
            if client is None:
                continue
            try:
                if what & select.EPOLLOUT:
                    self._connected(client, descriptor)
                else:
                    self._readable(client)
            except OSError:
                self._lost(client)

    def _connected(self, client: Connected, descriptor: int) -> None:
        assert client.socket is not None
        code = client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, "connect")
        key = base64.b64encode(os.urandom(16)).decode()
        self._send(
            client,
            (
                f"GET /ws HTTP/1.1\r\nHost: {self.address[0]}:{self.address[1]}\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
            ).encode(),
        )
        self.poller.modify(descriptor, select.EPOLLIN)

    def _send(self, client: Connected, content: bytes) -> None:
        assert client.socket is not None
        # A few hundred bytes on a fresh connection: the kernel takes them whole.
        if client.socket.send(content) != len(content):
            raise OSError(errno.EAGAIN, "the kernel took a part")

    def _send_frame(self, client: Connected, opcode: int, payload: bytes) -> None:
        # The mask is zero, which leaves the payload as it is.
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | len(payload)]) if len(payload) < 126 else struct.pack("!BH", 0xFE, len(payload))
        self._send(client, head + bytes(4) + payload)

    def _readable(self, client: Connected) -> None:
        assert client.socket is not None
        piece = client.socket.recv(65536)
        if not piece:
            return self._lost(client)
        buffer = client.buffer + piece if client.buffer else piece
        if not client.has_upgraded:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                client.buffer = buffer
                return
            if not buffer.startswith(b"HTTP/1.1 101 "):
                return self._lost(client)
            client.has_upgraded = True
            self._subscribe(client)
            buffer = buffer[end + 4 :]
        position = 0
        while len(buffer) - position >= 2:
            opcode, length = buffer[position] & 0x0F, buffer[position + 1]
            start = position + 2
            if length == 126:
                if len(buffer) < start + 2:
                    break
                (length,) = struct.unpack_from("!H", buffer, start)
                start += 2
            elif length == 127:
                if len(buffer) < start + 8:
                    break
                (length,) = struct.unpack_from("!Q", buffer, start)
                start += 8
            if len(buffer) < start + length:
                break
            position = start + length
            if opcode == TEXT:
                self._received(client, json.loads(buffer[start:position]))
            elif opcode == PING:
                self._send_frame(client, PONG, buffer[start:position])
            elif opcode == CLOSE:
                return self._lost(client)
            else:
                self.report.wrong += 1
        client.buffer = buffer[position:]

    # Messages

    def _subscribe(self, client: Connected) -> None:
        message: Dict[str, Any] = {"action": "subscribe", "task_id": client.task}
        if client.epoch is not None:
            message["since"] = {"epoch": client.epoch, "offset": client.last}
        self._send_frame(client, TEXT, json.dumps(message).encode())

    def _received(self, client: Connected, message: Dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "progress":
            offset = message["offset"]
            if not client.is_subscribed or message["epoch"] != client.epoch or message["details"]["n"] != offset:
                self.report.wrong += 1
            elif offset <= client.last:
                self.report.duplicates += 1
            else:
                self.report.gaps += offset - client.last - 1
                client.last = offset
                client.received += 1
        elif kind == "subscription_confirmed":
            if client.epoch is not None:
                self.report.resumptions += 1
                self.report.resume_seconds.append(time.monotonic() - client.since_at)
                if not message["recovered"]:
                    self.report.not_recovered += 1
                elif message["offset"] != client.last:
                    self.report.wrong += 1
            client.epoch = message["epoch"]
            client.last = message["offset"]
            client.is_subscribed = True
            self.subscribed_count += 1
        else:
            self.report.wrong += 1


# The process that directs


class Publisher:
    def __init__(self, host: str, port: int, api_key: str) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=30)
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {api_key}"}

    def post(self, path: str, body: Dict[str, Any]) -> Dict[str, Any]:
        self._connection.request("POST", path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status not in (200, 201, 202):
            raise SystemExit(f"POST {path} was answered {answer.status}: {content!r}")
        return json.loads(content)

    def publish(self, tasks: List[str], profile: Profile, begins_at: float) -> float:
        """The longest that a message was late, in seconds."""
        latest = 0.0
        for number in range(1, profile.message_count + 1):
            due = begins_at + number / profile.messages_per_second
            time.sleep(max(0.0, due - time.monotonic()))
            for task in tasks:
                receipt = self.post(
                    f"/api/v1/tasks/{task}/progress",
                    {"progress": number % 100, "message": "第 %d 条 of many" % number, "details": {"n": number}},
                )
                if receipt["offset"] != number:
                    raise SystemExit(f"message {number} has the offset {receipt['offset']}")
            latest = max(latest, time.monotonic() - due)
        return latest


def drop(host: str, port: int, api_key: str, profile: Profile, name: str = "drop") -> Report:
    """Runs the test against a gateway that listens there and asks watchers for no token."""
    tasks = [f"{name}-{number}" for number in range(profile.task_count)]
    publisher = Publisher(host, port, api_key)
    for task in tasks:
        publisher.post("/api/v1/tasks", {"task_id": task})
    with contextlib.ExitStack() as stack:
        crowds: List["subprocess.Popen[str]"] = []
        for number in range(profile.process_count):
            indices = [profile.client_count * place // profile.process_count for place in (number, number + 1)]
            work = {"host": host, "port": port, "profile": asdict(profile), "tasks": tasks, "indices": indices}
            crowd = subprocess.Popen(
                [sys.executable, str(pathlib.Path(__file__).resolve()), json.dumps(work)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            stack.callback(_end, crowd)
            crowds.append(crowd)
        for crowd in crowds:
            assert crowd.stdout is not None
            if crowd.stdout.readline() != "ready\n":
                raise SystemExit("clients could not subscribe")
        begins_at = time.monotonic() + 0.5
        for crowd in crowds:
            assert crowd.stdin is not None
            crowd.stdin.write(f"{begins_at!r}\n")
            crowd.stdin.flush()
        publisher.publish(tasks, profile, begins_at)
        report = Report()
        for crowd in crowds:
            assert crowd.stdout is not None
            report.add(Report(**json.loads(crowd.stdout.readline())))
        return report


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()


def main() -> None:
    """One process of clients, told what to do by `drop`."""
    work = json.loads(sys.argv[1])
    crowd = Crowd(work["host"], work["port"], Profile(**work["profile"]), work["tasks"], range(*work["indices"]))
    crowd.open_all()
    print("ready", flush=True)
    crowd.run(float(sys.stdin.readline()))
    print(json.dumps(asdict(crowd.report)), flush=True)


if __name__ == "__main__":
    main()
