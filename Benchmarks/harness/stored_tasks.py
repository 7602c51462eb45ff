"""A store with many tasks, written by the gateway itself: what its start has to read."""

from __future__ import annotations

import http.client
import json
import pathlib
import random
import time

from .gateway import Gateway

LINES_PER_REQUEST = 500
# Of each ten tasks so many are finished.
FINISHED_OF_TEN = 6
REPORTS_PER_TASK = 3
# A store that is killed is killed while it writes: seconds of reports before.
BUSY_SECONDS = 1.5
WORDS = ("indexing", "shard", "documents", "embedding", "batch", "retry", "chunk", "résumé", "rows", "checkpoint")


def name(index: int) -> str:
    return f"stored-{index:07}"


def build(path: pathlib.Path, count: int, *, is_killed: bool) -> None:
    """Leaves a store of so many tasks at `path`, stopped in order or killed while running tasks report."""
    generator = random.Random(7)
    with Gateway(f"sqlite:{path}", threads=2, cores="0,1") as gateway:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
        for step in range(1 + REPORTS_PER_TASK + 1):
            publish(connection, filter(None, (line(index, step, generator) for index in range(count))))
        if is_killed:
            running = [index for index in range(count) if index % 10 >= FINISHED_OF_TEN]
            deadline = time.monotonic() + BUSY_SECONDS
            while time.monotonic() < deadline:
                publish(connection, (report(index, 60, generator) for index in generator.sample(running, min(5000, len(running)))))
            gateway.kill()
        else:
            connection.close()
            gateway.stop()


def line(index: int, step: int, generator: random.Random) -> dict | None:
    """What happens to a task at a step: it is registered, reports, and most are finished."""
    if step == 0:
        return {
            "op": "register", "task_id": name(index), "owner": f"user-{index % 5000}", "kind": "ingest",
            "title": f"Index {text(generator, 24)}",
            "metadata": {"source": f"s3://bucket-{index % 97}/{text(generator, 20)}", "priority": index % 5, "tags": ["nightly", "eu"]},
        }
    if step <= REPORTS_PER_TASK:
        return report(index, step * 20, generator)
    if index % 10 >= FINISHED_OF_TEN:
        return None
    if index % 10 == 0:
        return {"op": "error", "task_id": name(index), "error": text(generator, 60), "error_code": "worker_lost"}
    return {"op": "complete", "task_id": name(index), "message": "done", "result": {"rows": index, "summary": text(generator, 80)}}


def report(index: int, progress: int, generator: random.Random) -> dict:
    return {
        "op": "progress", "task_id": name(index), "progress": progress, "current": progress * 10, "total": 1000,
        "message": text(generator, 40), "details": {"phase": "embed", "shard": index % 64, "note": text(generator, 60)},
    }


def text(generator: random.Random, length: int) -> str:
    words = ""
    while len(words) < length:
        words += f"{generator.choice(WORDS)} {generator.randrange(1000)} "
    return words[:length]


def publish(connection: http.client.HTTPConnection, operations) -> None:
    batch: list[str] = []
    for operation in operations:
        batch.append(json.dumps(operation, ensure_ascii=False, separators=(",", ":")))
        if len(batch) == LINES_PER_REQUEST:
            send(connection, batch)
            batch = []
    if batch:
        send(connection, batch)


def send(connection: http.client.HTTPConnection, batch: list[str]) -> None:
    connection.request("POST", "/api/v1/publish", "\n".join(batch).encode(), {"Content-Type": "application/x-ndjson"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200 or json.loads(body)["rejected"]:
        raise SystemExit(f"lines were answered {answer.status}: {body[:500]!r}")


def require(gateway: Gateway, count: int) -> None:
    """The first and the last task are there, as they were."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    for index, status in ((0, "failed"), (1, "completed"), (count - 1, "running")):
        connection.request("GET", f"/api/v1/tasks/{name(index)}")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200 or json.loads(body)["status"] != status:
            raise SystemExit(f"{name(index)} is not {status} after the start: {answer.status} {body[:500]!r}")
    connection.close()
