#!/usr/bin/env python3
"""Everything at once, from many threads, on a gateway with several event loops: for the thread sanitizer.

It asks for no particular answer; that is what the other tests are for. It wants every kind of traffic between the loops to
happen at the same time: publishing and watching in all dialects, broadcasts, questions and answers, cancels, refused and
torn connections, scrapes; and then SIGTERM in the middle of it. It fails when a kind of traffic did not happen, when a
thread met an answer that must not be, or when the gateway does not end with status 0.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import urllib3
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "EndToEndTests"))

EVENT_LOOPS = 4
# Fewer than the watchers want, so that the limit is met all the time.
CONNECTIONS_MAX = 24
WATCHER_THREADS = 8
CONNECTIONS_PER_WATCHER = 4
PUBLISHER_THREADS = 3
TASKS = 12
USERS = 4
# The close codes that a client may meet here: done, going down, limit, slow reader.
EXPECTED_CLOSES = {1000, 1001, 1006, 1008, 1012, 1013}


class Load:
    def __init__(self, gateway, api_key, seed):
        self.gateway, self.api_key, self.seed = gateway, api_key, seed
        self.stopping = threading.Event()
        self.counts = collections.Counter()
        self.lock = threading.Lock()
        self.faults = []

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def fault(self, text):
        with self.lock:
            self.faults.append(text)
        self.stopping.set()

    def thread(self, work, number):
        def run():
            chance = random.Random(f"{self.seed}-{work.__name__}-{number}")
            while not self.stopping.is_set():
                try:
                    work(chance)
                except (ConnectionClosed, InvalidHandshake, OSError, urllib3.exceptions.HTTPError, EOFError) as error:
                    if not self.stopping.is_set() and not self.gateway.is_running:
                        self.fault(f"the gateway ended: {error!r}")
                except Exception as error:  # noqa: BLE001 - a thread must not end in silence
                    self.fault(f"{work.__name__}: {error!r}")

        return threading.Thread(target=run, name=f"{work.__name__}-{number}", daemon=True)

    def pool(self):
        return urllib3.connection_from_url(self.gateway.url, maxsize=1, retries=False, timeout=20)

    def post(self, pool, path, body, allowed):
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"}
        response = pool.request("POST", path, body=json.dumps(body).encode(), headers=headers)
        if response.status not in allowed:
            self.fault(f"POST {path}: {response.status} {response.data[:200]!r}")
        return response

    # --- Kinds of traffic ---

    def publish(self, chance):
        pool = self.pool()
        for _ in range(50):
            if self.stopping.is_set():
                return
            task = f"task-{chance.randrange(TASKS)}-{int(time.monotonic()) // 2}"
            if chance.random() < 0.03:
                self.post(pool, f"/api/v1/tasks/{task}/complete", {"result": [1, 2, 3]}, {200, 409, 503})
                self.count("completed")
            else:
                body = {"progress": chance.randrange(100), "message": "x" * chance.randrange(2000)}
                self.post(pool, f"/api/v1/tasks/{task}/progress", body, {202, 409, 503})
                self.count("published")

    def address_everybody(self, chance):
        pool = self.pool()
        user = f"user-{chance.randrange(USERS)}"
        self.post(pool, "/api/v1/broadcast", {"type": "news", "n": 1}, {200, 503})
        self.post(pool, f"/api/v1/users/{user}/messages", {"type": "note"}, {200, 503})
        self.post(pool, "/api/v1/channels/news", {"type": "item"}, {200, 202, 503})
        task = f"task-{chance.randrange(TASKS)}-{int(time.monotonic()) // 2}"
        self.post(pool, f"/api/v1/tasks/{task}/cancel", {"reason": "load"}, {202, 404, 409, 503})
        step = {"step": "s", "result": None, "completed": True, "message": "?", "status": "ok"}
        question = {"task_id": task, "user_id": user, "step": 1, "step_result": step, "timeout": 2}
        answer = self.post(pool, "/api/v1/confirmations?wait=3", question, {201, 503})
        if answer.status == 201:
            self.count(f"question {json.loads(answer.data)['status']}")

    def scrape(self, chance):
        pool = self.pool()
        for path in ("/metrics", "/api/v1/status", "/livez"):
            if pool.request("GET", path).status == 200:
                self.count("scraped")
        self.stopping.wait(chance.random() / 5)

    def watch(self, chance):
        # Left in the opposite order of opening, each with its closing handshake.
        with contextlib.ExitStack() as stack:
            sockets = []
            for _ in range(CONNECTIONS_PER_WATCHER):
                task = f"task-{chance.randrange(TASKS)}-{int(time.monotonic()) // 2}"
                path = chance.choice(["/ws", "/", f"/ws/task/{task}", f"/api/v1/ws/executions/{task}"])
                compression = chance.choice(["deflate", None])
                subprotocols = chance.choice([None, ["signalbox.v1"]])
                websocket = stack.enter_context(
                    connect(
                        self.gateway.websocket_url + path,
                        compression=compression,
                        subprotocols=subprotocols,
                        open_timeout=20,
                        close_timeout=2,
                    )
                )
                sockets.append(websocket)
                self.count("opened")
                if path in ("/", "/ws"):
                    self.subscribe(websocket, chance, task)
            deadline = time.monotonic() + chance.random() * 2
            while time.monotonic() < deadline and not self.stopping.is_set():
                for websocket in sockets:
                    self.receive(websocket)

    def subscribe(self, websocket, chance, task):
        for message in (
            {"action": "subscribe", "user_id": f"user-{chance.randrange(USERS)}"},
            {"action": "subscribe", "task_id": task, "wait": True},
            {"action": "subscribe", "task_id": f"task-{chance.randrange(TASKS)}-0", "since": {"epoch": "x", "offset": 3}},
            {"action": "subscribe", "channel": "news"},
            {"action": "ping"},
            {"action": "unsubscribe", "channel": "other"},
        ):
            websocket.send(json.dumps(message))

    def receive(self, websocket):
        try:
            message = json.loads(websocket.recv(timeout=0.02))
        except TimeoutError:
            return
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            self.count(f"closed {code}")
            if code not in EXPECTED_CLOSES:
                self.fault(f"closed with {closed.rcvd}")
            raise
        self.count(f"received {message.get('type')}")
        if message.get("type") == "task_step_result":
            answer = {"action": "confirm", "callback_id": message["callback_id"], "proceed": True}
            websocket.send(json.dumps(answer))

    def tear(self, chance):
        """Connections that end in all the wrong places."""
        port = self.gateway.port
        handshake = (
            b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        whole = handshake + b"\x81\x85\x00\x00\x00\x00hello" + b"\x88\x80\x00\x00\x00\x00"
        with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
            raw.sendall(whole[: chance.randrange(len(whole) + 1)])
            if chance.random() < 0.5:
                # Reset in place of an orderly end.
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.count("torn")
        self.stopping.wait(chance.random() / 50)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"load: {arguments.seconds:g} s, seed {arguments.seed} (--seed {arguments.seed} repeats the choices)")

    os.environ["SIGNALBOX_BINARY"] = str(arguments.binary.resolve())
    from support.process import API_KEY, GatewayProcess  # needs the path above

    gateway = GatewayProcess(
        *("--host", "127.0.0.1", "--port", "0", "--threads", str(EVENT_LOOPS), "--auth", "off", "--api-keys", API_KEY),
        *("--store", "memory", "--max-connections", str(CONNECTIONS_MAX), "--terminal-grace", "1"),
        *("--ping-interval", "1", "--drain-timeout", "2"),
    )
    load = Load(gateway, API_KEY, arguments.seed)
    threads = [load.thread(load.watch, number) for number in range(WATCHER_THREADS)]
    threads += [load.thread(load.publish, number) for number in range(PUBLISHER_THREADS)]
    threads += [load.thread(load.address_everybody, number) for number in range(2)]
    threads += [load.thread(load.scrape, 0), load.thread(load.tear, 0), load.thread(load.tear, 1)]
    for thread in threads:
        thread.start()
    load.stopping.wait(arguments.seconds)
    # The traffic goes on while the gateway drains: what happens now is no fault any more, but races are.
    faults = list(load.faults)
    try:
        gateway.stop()
    except AssertionError as failure:
        faults.append(str(failure))
    load.stopping.set()
    for thread in threads:
        thread.join(10)

    for what, number in sorted(load.counts.items()):
        print(f"load: {number:>8} {what}")
    wanted = ["published", "completed", "opened", "scraped", "torn", "closed 1013", "question confirmed"]
    wanted += [f"received {kind}" for kind in ("progress", "connected", "status", "subscription_confirmed", "pong", "news")]
    faults += [f"nothing was ever {kind}" for kind in wanted if not load.counts[kind]]
    for text in faults:
        print(f"load: {text}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
