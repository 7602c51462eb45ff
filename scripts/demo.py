#!/usr/bin/env python3
"""A small busy workshop for `make run`: workers that report to the gateway until you press Ctrl-C.

    scripts/demo.py [--url http://127.0.0.1:8765] [--api-key KEY]

Open /ui/ beside it. Some tasks move, one fails, one asks the user `demo` a question and goes on by the answer, one is
worth cancelling: it notices, cleans up and acknowledges. Standard library only; the HTTP calls are all there is to
reporting progress, in any language.
"""

import argparse
import json
import os
import random
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

USER = "demo"
# Seconds a question stays open, and of one held HTTP call; the call's own limit leaves room for the network.
QUESTION_TIMEOUT = 60
HELD_CALL = 20
CALL_TIMEOUT = 30
# Seconds between two looks at a gateway that is away.
READY_INTERVAL = 0.5

stopping = threading.Event()


class Cancelled(Exception):
    """Somebody asked for the task's end; the worker has acknowledged nothing yet."""


class Refused(Exception):
    """The gateway said no, and saying it again would not help."""


class Stopped(Exception):
    """The demo ends."""


def pause(seconds):
    """Work, as far as this demo is concerned."""
    if stopping.wait(seconds):
        raise Stopped


class Gateway:
    def __init__(self, url, api_key):
        self.url = url.rstrip("/")
        self.api_key = api_key

    def call(self, method, path, body=None):
        """One call; waits for a gateway that is away and repeats itself, since every call here may be repeated."""
        headers = {"Accept": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body, ensure_ascii=False).encode()
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        while True:
            try:
                request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
                with urllib.request.urlopen(request, timeout=CALL_TIMEOUT) as response:
                    return json.load(response)
            except urllib.error.HTTPError as error:
                detail = error.read().decode(errors="replace")
                if error.code not in (429, 502, 503, 504):
                    raise Refused(f"{method} {path}: {error.code} {detail}") from None
            except OSError:
                pass
            self.wait_until_ready()

    def wait_until_ready(self):
        while True:
            pause(READY_INTERVAL)
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=CALL_TIMEOUT) as response:
                    if response.status == 200:
                        return
            except OSError:
                continue


class Task:
    def __init__(self, gateway, kind, title, **fields):
        self.gateway = gateway
        self.id = f"{kind}-{uuid.uuid4().hex[:8]}"
        self.path = f"/api/v1/tasks/{urllib.parse.quote(self.id)}"
        gateway.call("POST", "/api/v1/tasks", {"task_id": self.id, "kind": kind, "title": title, **fields})

    def progress(self, percent, message, **fields):
        """Reports, and learns in the same answer whether somebody wants the task to stop."""
        body = {"progress": percent, "message": message, **fields}
        if self.gateway.call("POST", self.path + "/progress", body).get("cancel_requested"):
            raise Cancelled

    def complete(self, message, result=None, success=True):
        body = {"success": success, "message": message, "result": result}
        self.gateway.call("POST", self.path + "/complete", body)

    def error(self, error, code, details):
        self.gateway.call("POST", self.path + "/error", {"error": error, "error_code": code, "details": details})

    def acknowledge_cancel(self):
        self.gateway.call("POST", self.path + "/cancel/ack", {})

    def ask(self, step, name, question, result):
        """Asks the user and holds on until there is an answer, a time-out or a withdrawal."""
        body = {
            "task_id": self.id,
            "user_id": USER,
            "step": step,
            "step_result": {"step": name, "result": result, "completed": True, "message": question,
                            "status": "completed", "error_code": None, "error_message": None},
            "timeout": QUESTION_TIMEOUT,
            "default_proceed": True,
        }
        answer = self.gateway.call("POST", f"/api/v1/confirmations?wait={HELD_CALL}", body)
        while answer["status"] == "pending":
            pause(0)
            identifier = urllib.parse.quote(answer["callback_id"])
            answer = self.gateway.call("GET", f"/api/v1/confirmations/{identifier}?wait={HELD_CALL}")
        return answer


# ---- The workers. Each function is one run of one task. --------------------------------------------------------------


def index_documents(gateway):
    total = random.randint(36, 60)
    task = Task(gateway, "index", "批量索引文档", total=total)
    for current in range(1, total + 1):
        pause(random.uniform(0.15, 0.45))
        task.progress(round(100 * current / total), f"处理中 {current}/{total}", current=current, total=total)
    task.complete("批量索引完成", {"total": total, "success": total, "failed": 0})


def train_model(gateway):
    epochs = 12
    task = Task(gateway, "train", "Train the ticket classifier", total=epochs)
    loss = 2.3
    task.progress(0, "loading 48,210 labelled tickets", current=0, total=epochs)
    pause(2)
    for epoch in range(1, epochs + 1):
        pause(random.uniform(1.2, 2.2))
        loss *= random.uniform(0.78, 0.93)
        task.progress(100 * epoch / epochs, f"epoch {epoch} of {epochs}, loss {loss:.3f}", current=epoch, total=epochs,
                      details={"loss": round(loss, 4), "learning_rate": 3e-4})
    task.complete("model stored", {"accuracy": round(1 - loss / 10, 4), "artifact": "classifier-2026.11.onnx"})


def migrate_orders(gateway):
    total = 50_000
    task = Task(gateway, "migrate", "订单数据迁移", total=total)
    fails_at = random.randint(28_000, 44_000)
    current = 0
    while True:
        pause(random.uniform(0.3, 0.6))
        current = min(fails_at, current + random.randint(1_200, 2_400))
        task.progress(100 * current / total, f"已迁移 {current:,} 行", current=current, total=total)
        if current == fails_at:
            pause(1)
            task.error("迁移失败: 数据库连接错误", "E003", {"row": current, "host": "orders-replica-2"})
            return


def release_service(gateway):
    task = Task(gateway, "release", "Release billing 2.4.0", owner=USER)
    for percent, message in [(8, "building the image"), (22, "running 1,384 tests"), (40, "scanning dependencies")]:
        task.progress(percent, message)
        pause(random.uniform(1.5, 2.5))
    task.progress(45, "waiting for a decision")
    answer = task.ask(1, "canary", "The canary serves 5 % of traffic without errors. Release billing 2.4.0 to everybody?",
                      {"requests": 18_230, "errors": 0, "p99_ms": 41})
    if not answer["proceed"]:
        task.complete(f"rolled back: {answer['feedback'] or 'rejected'}", {"rolled_back": True}, success=False)
        return
    said = f" ({answer['feedback']})" if answer["feedback"] else ""
    for percent in range(50, 101, 5):
        task.progress(percent, f"serving {percent} % of traffic{said}")
        pause(random.uniform(0.6, 1.1))
    task.complete("billing 2.4.0 serves everybody", {"by": answer["resolved_by"]})


def render_film(gateway):
    total = 1_440
    task = Task(gateway, "render", "Render film (cancel me)", owner=USER, total=total)
    frame = 0
    try:
        while frame < total:
            pause(random.uniform(0.25, 0.5))
            frame = min(total, frame + random.randint(6, 14))
            task.progress(100 * frame / total, f"frame {frame:,} of {total:,}", current=frame, total=total)
    except Cancelled:
        # A worker cleans up first and then says that it has stopped.
        pause(1.2)
        task.acknowledge_cancel()
        return
    task.complete("渲染完成 · film is ready", {"frames": total, "file": "harbour.mp4"})


WORKERS = [index_documents, train_model, migrate_orders, release_service, render_film]


def work(run, gateway, delay):
    """One worker: runs its task again and again, each time as a new task."""
    try:
        pause(delay)
        while True:
            try:
                run(gateway)
            except Cancelled:
                pass  # a worker without a clean-up of its own; the gateway ends the task after its --cancel-timeout
            except Refused as problem:
                print(problem, file=sys.stderr)
            pause(random.uniform(4, 9))
    except Stopped:
        return


def main():
    parser = argparse.ArgumentParser(description="Report made-up work to a Signalbox gateway until interrupted.")
    parser.add_argument("--url", default="http://127.0.0.1:8765", help="the gateway (default: %(default)s)")
    parser.add_argument("--api-key", default=os.environ.get("SIGNALBOX_API_KEY", ""),
                        help="a publisher's key; not needed under --dev (default: $SIGNALBOX_API_KEY)")
    arguments = parser.parse_args()
    gateway = Gateway(arguments.url, arguments.api_key)
    try:
        gateway.wait_until_ready()
        print(f"demo: reporting to {gateway.url}, watch it at {gateway.url}/ui/", file=sys.stderr)
        threads = [threading.Thread(target=work, args=(run, gateway, 1.5 * index), daemon=True)
                   for index, run in enumerate(WORKERS)]
        for thread in threads:
            thread.start()
        while True:
            time.sleep(3_600)
    except KeyboardInterrupt:
        stopping.set()


if __name__ == "__main__":
    main()
