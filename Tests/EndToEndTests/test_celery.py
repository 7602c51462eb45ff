"""A real Celery worker, prefork, with Redis as its broker, reports through the Python client to a watching socket."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from typing import Any, Iterator, List

import pytest
import redis

from support.api import Api
from support.process import API_KEY, GatewayProcess, clean_environment
from support.sockets import Watcher, eventually

HERE = pathlib.Path(__file__).resolve().parent
WORKER_PROCESSES = 2


@pytest.fixture(scope="module")
def gateway(start: Any) -> GatewayProcess:
    return start("--terminal-grace", "0.3")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's redis-server, on a free port of its own, keeping nothing."""
    program = shutil.which("redis-server")
    assert program, "redis-server is missing: scripts/install-system-packages.sh installs it"
    directory = tmp_path_factory.mktemp("redis")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def answers() -> bool:
        try:
            return bool(redis.Redis(port=port).ping())
        except redis.RedisError:
            return False

    try:
        eventually(answers, 10)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def celery_app(gateway: GatewayProcess, broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The application with its worker running."""
    directory = tmp_path_factory.mktemp("celery")
    environment = clean_environment(
        {
            "BROKER_URL": broker,
            "SIGNALBOX_URL": gateway.url,
            "SIGNALBOX_API_KEY": API_KEY,
            "PYTHONPATH": str(HERE),
        }
    )
    log = open(directory / "worker.log", "w+")
    command = "-A celery_worker worker --pool prefork --loglevel WARNING --without-gossip --without-mingle"
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", *command.split(), "--concurrency", str(WORKER_PROCESSES)],
        cwd=directory,
        env=environment,
        stdout=log,
        stderr=log,
    )
    os.environ["BROKER_URL"] = broker
    try:
        import celery_worker

        eventually(lambda: celery_worker.app.control.ping(timeout=0.5), 30)
        yield celery_worker.app
    finally:
        del os.environ["BROKER_URL"]
        worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(20)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        log.close()


def follow(watcher: Watcher) -> List[Any]:
    """All messages up to the end, which must be followed by the close."""
    messages = []
    while True:
        message = watcher.next(20)
        messages.append(message)
        if message["type"] in ("complete", "error"):
            assert watcher.closed_next()[0] == 1000
            return messages


def run(celery_app: Any, api: Api, watch: Any, documents: List[str]) -> List[Any]:
    """What a browser sees of one task, subscribed before it is queued."""
    task = str(uuid.uuid4())
    api.register(task)
    watcher = watch(f"/ws/task/{task}")
    connected = watcher.next()
    assert (connected["type"], connected["current_status"]) == ("connected", "pending")
    celery_app.send_task("index", args=[documents], task_id=task)
    messages = follow(watcher)
    assert {message["task_id"] for message in messages} == {task}
    return messages


def test_a_browser_sees_a_celery_task_from_beginning_to_end(celery_app: Any, api: Api, watch: Any) -> None:
    *progress, complete = run(celery_app, api, watch, [f"document-{number}" for number in range(1, 6)])
    assert [
        (each["type"], each["status"], each["progress"], each["current"], each["total"], each["message"])
        for each in progress
    ] == [("progress", "processing", n * 20, n, 5, f"处理中 {n}/5") for n in range(1, 6)]
    assert (complete["type"], complete["success"], complete["message"]) == ("complete", True, "批量索引完成")
    assert complete["result"]["total"] == 5


def test_the_error_of_a_task_is_its_end(celery_app: Any, api: Api, watch: Any) -> None:
    *progress, error = run(celery_app, api, watch, ["fine", "broken", "never reached"])
    assert [each["current"] for each in progress] == [1]
    assert (error["type"], error["error"], error["details"]) == ("error", "索引失败: 数据库连接错误", {"at": 2})


def test_the_processes_of_the_pool_report_side_by_side(celery_app: Any, api: Api, watch: Any) -> None:
    tasks = [str(uuid.uuid4()) for _ in range(12)]
    watchers = []
    for task in tasks:
        api.register(task)
        watchers.append(watch(f"/ws/task/{task}"))
    for task in tasks:
        celery_app.send_task("index", args=[["x"] * 50], task_id=task)
    processes = set()
    for task, watcher in zip(tasks, watchers):
        assert watcher.next()["type"] == "connected"
        *progress, complete = follow(watcher)
        assert [each["current"] for each in progress] == list(range(1, 51)), task
        processes.add(complete["result"]["process"])
    assert len(processes) == WORKER_PROCESSES, "both processes of the pool must have worked"


def test_a_task_is_not_disturbed_by_a_gateway_that_is_gone(broker: str, tmp_path: pathlib.Path) -> None:
    """The task's own code, in a process whose gateway does not exist, ends well and in time."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        code = "import celery_worker; celery_worker.index.apply(args=[['x'] * 1000]).get(); print('ended')"
        result = subprocess.run(
            [sys.executable, "-c", code],
            env=clean_environment(
                {
                    "BROKER_URL": broker,
                    "SIGNALBOX_URL": f"http://127.0.0.1:{taken.getsockname()[1]}",
                    "PYTHONPATH": str(HERE),
                }
            ),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=20,
        )
    assert result.returncode == 0 and "ended" in result.stdout, result.stderr
