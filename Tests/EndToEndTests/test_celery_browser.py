"""The whole way: a Celery worker reports with the Python client, a browser page moves its bar."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import uuid

import pytest

from browser_support import DEADLINE_MS, Publisher, browsers, eventually, pages, playwright  # noqa: F401 (fixtures)
from support.process import API_KEY

celery = pytest.importorskip("celery", reason="pip install celery redis")
pytest.importorskip("redis", reason="pip install redis")
expect = pytest.importorskip("playwright.sync_api", reason="pip install playwright").expect

HERE = pathlib.Path(__file__).parent
CLIENT = HERE.parents[1] / "clients" / "python" / "src"
REDIS_SERVER = shutil.which("redis-server")

pytestmark = pytest.mark.skipif(REDIS_SERVER is None, reason="no redis-server: apt-get install redis-server")


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def broker(tmp_path):
    """A Redis of our own, on a free port, without a file."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(tmp_path / "redis.log", "wb") as log:
        process = subprocess.Popen(
            [REDIS_SERVER, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
             "--dir", str(tmp_path)], stdout=log, stderr=log)

    def answers():
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False

    try:
        eventually(answers, "Redis answers")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        stop(process)


@pytest.fixture
def gateway(start_gateway, pages):
    return start_gateway("--auth", "off", "--api-keys", API_KEY, "--allowed-origins", pages.origin)


@pytest.fixture(params=["prefork", "solo"])
def send(request, gateway, broker, tmp_path):
    """A running worker. `send(...)` queues a task and returns its id, `send.release(id)` lets it begin to report."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("SIGNALBOX_", "WEBSOCKET_"))},
        "CELERY_BROKER_URL": broker,
        "SIGNALBOX_URL": gateway.url,
        "SIGNALBOX_API_KEY": API_KEY,
        "PYTHONPATH": os.pathsep.join([str(CLIENT), str(HERE)]),
        "RELEASE_FILE": str(tmp_path / "release"),
    }
    log_path = tmp_path / "celery.log"
    with open(log_path, "wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "browser_celery_tasks", "worker", "--pool", request.param,
             "--concurrency", "2", "--loglevel", "INFO", "--without-gossip", "--without-mingle"],
            env=environment, cwd=tmp_path, stdout=log, stderr=log)
    application = celery.Celery("sender", broker=broker)

    def send(**arguments):
        assert worker.poll() is None, log_path.read_text()
        task_id = str(uuid.uuid4())
        application.send_task("browser_celery_tasks.index_documents", kwargs=arguments, task_id=task_id)
        publisher = Publisher(gateway.url)
        listed = "/api/v1/tasks?limit=100"
        eventually(lambda: any(task["task_id"] == task_id for task in publisher.get(listed)["tasks"]),
                   f"the worker registers the task; its log:\n{log_path.read_text()[-2_000:]}", deadline=30)
        return task_id

    send.release = lambda task_id: pathlib.Path(f"{environment['RELEASE_FILE']}-{task_id}").touch()
    yield send
    application.close()
    stop(worker)


def follow(client, pages, task_id):
    pages.replacements["task-uuid-here"] = task_id
    client.page.goto(f"{pages.origin}/task-dialect.html")
    client.wait_for_line(f"Connected to task {task_id}")


def test_page_follows_a_celery_task_to_its_end(send, gateway, browsers, pages):
    client = browsers.open(ports=[8800], gateway=gateway)
    task_id = send(count=5)
    follow(client, pages, task_id)
    send.release(task_id)
    client.wait_for_dialog("Success: 批量索引完成")
    expect(client.page.locator("#progress-bar")).to_have_text("100%", timeout=DEADLINE_MS)
    seen = [line for line in client.lines if line.startswith("Progress: ")]
    # A later report may supersede an earlier one on its way, never overtake it; the last one is always seen.
    assert seen[-1] == "Progress: 5/5 (100%)"
    assert seen == sorted(seen)
    assert Publisher(gateway.url).task(task_id)["result"] == {"total": 5, "success": 5, "failed": 0}


def test_page_is_told_that_a_celery_task_failed(send, gateway, browsers, pages):
    client = browsers.open(ports=[8800], gateway=gateway)
    task_id = send(count=5, fail_at=4)
    follow(client, pages, task_id)
    send.release(task_id)
    client.wait_for_dialog("Error: 索引失败: 数据库连接错误")
    task = Publisher(gateway.url).task(task_id)
    assert (task["status"], task["error_code"], task["progress"]) == ("failed", "E003", 60)
