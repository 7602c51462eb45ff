"""Node's WebSocket clients run the documented clients: the built-in one (undici) and the `ws` library."""

import json
import pathlib
import queue
import shutil
import signal
import subprocess
import threading
import time

import pytest

from browser_support import DEADLINE, PAGES, Publisher, eventually
from support.process import API_KEY, JWT_SECRET
from support.tokens import token

NODE = shutil.which("node")
# Node's own WebSocket came in 20.10 behind this flag and is on by default since 22; Debian 12 has 18.
BUILT_IN = "--experimental-websocket"
HAS_BUILT_IN = NODE is not None and subprocess.run([NODE, BUILT_IN, "--eval", ""], capture_output=True).returncode == 0
LIBRARIES = [
    pytest.param("built-in", marks=pytest.mark.skipif(not HAS_BUILT_IN, reason="no WebSocket in this Node")),
    pytest.param("ws", marks=pytest.mark.skipif(not pathlib.Path("/usr/share/nodejs/ws").exists(),
                                                reason="apt-get install node-ws")),
]

pytestmark = pytest.mark.skipif(NODE is None, reason="no node: apt-get install nodejs")


class NodeClient:
    """One example in one Node process; what it told so far is in `told`."""

    def __init__(self, script, library, replacements, answer="yes"):
        words = [word for pair in replacements.items() for word in pair]
        self.process = subprocess.Popen(
            [NODE, "--no-warnings", *([BUILT_IN] if library == "built-in" else []),
             PAGES / "node-prelude.cjs", PAGES / script, library, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PATH": "/usr/bin:/bin", "ANSWER": answer})
        self.told = []
        self.queue = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.queue.put(json.loads(line))

    def wait_for(self, *words):
        """The first told value that begins with these words, told before or from now on."""
        end = time.monotonic() + DEADLINE
        while True:
            for told in self.told:
                if told[:len(words)] == list(words):
                    return told
            try:
                self.told.append(self.queue.get(timeout=max(0.0, end - time.monotonic())))
            except queue.Empty:
                pytest.fail(f"not within {DEADLINE} s: {words}; told: {self.told}, errors: {self.errors()}")

    def wait_for_line(self, *values, kind="log"):
        return self.wait_for("console", kind, *values)

    def beat(self):
        self.process.send_signal(signal.SIGUSR2)

    def errors(self):
        self.process.kill()
        return self.process.stderr.read()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def run_client():
    running = []

    def run(*arguments, **options):
        running.append(NodeClient(*arguments, **options))
        return running[-1]

    yield run
    for client in running:
        client.stop()


@pytest.fixture
def gateway(start_gateway):
    return start_gateway("--auth", "off", "--api-keys", API_KEY)


@pytest.fixture
def publisher(gateway):
    return Publisher(gateway.url)


@pytest.mark.parametrize("library", LIBRARIES)
def test_task_dialect(run_client, gateway, publisher, library):
    publisher.register("task-uuid-here")
    client = run_client("task-dialect.js", library, {"localhost:8800": f"127.0.0.1:{gateway.port}"})
    client.wait_for_line("Connected to task task-uuid-here")
    client.wait_for_line("Current status: pending")
    client.beat()
    client.wait_for_line("Heartbeat OK")
    publisher.progress("task-uuid-here", 60, current=3, total=5, message="处理中 3/5")
    client.wait_for("element", "progress-bar", "style.width", "60%")
    client.wait_for("element", "progress-bar", "textContent", "60%")
    client.wait_for_line("Message: 处理中 3/5")
    publisher.complete("task-uuid-here", message="批量索引完成", result={"total": 5})
    client.wait_for("dialog", "alert", "Success: 批量索引完成")
    client.wait_for_line("WebSocket closed")
    assert [told for told in client.told if told[:2] == ["console", "error"]] == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_task_dialect_with_a_token(run_client, start_gateway, library):
    gateway = start_gateway("--auth", "required", "--api-keys", API_KEY, "--jwt-secret", JWT_SECRET)
    publisher = Publisher(gateway.url)
    publisher.register("task-uuid-here", owner="42")
    client = run_client("task-dialect.js", library, {"localhost:8800": f"127.0.0.1:{gateway.port}",
                                                     "YOUR_JWT_TOKEN": token("42")})
    client.wait_for_line("Connected to task task-uuid-here")
    publisher.error("task-uuid-here", "索引失败: 数据库连接错误")
    client.wait_for("dialog", "alert", "Error: 索引失败: 数据库连接错误")


@pytest.mark.parametrize("library", LIBRARIES)
def test_execution_dialect(run_client, gateway, publisher, library):
    publisher.register("your-execution-id")
    client = run_client("execution-dialect.js", library, {"localhost:8037": f"127.0.0.1:{gateway.port}"})
    client.wait_for("element", "status", "textContent", "pending")
    client.wait_for("element", "progress", "style.width", "0%")
    client.beat()
    client.wait_for_line("收到消息:", '{"type":"pong"}')
    publisher.progress("your-execution-id", 50, message="执行中...")
    client.wait_for("element", "status", "textContent", "running")
    client.wait_for("element", "progress", "style.width", "50%")
    publisher.complete("your-execution-id", result={"answer": 42, "text": "完成"})
    client.wait_for("element", "result", "textContent", '{"answer":42,"text":"完成"}')
    client.wait_for_line("WebSocket连接已关闭")


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("answer, proceed, feedback", [("yes", True, "Agree to continue"),
                                                      ("no", False, "Cancel execution")])
def test_action_dialect(run_client, gateway, publisher, library, answer, proceed, feedback):
    client = run_client("action-dialect.js", library, {"localhost:8765": f"127.0.0.1:{gateway.port}"}, answer=answer)
    client.wait_for_line("WebSocket connection established")
    client.beat()
    pong = json.loads(client.wait_for_line("Message received:")[3])
    assert pong["type"] == "pong" and pong["original_data"]["action"] == "ping"
    asked = publisher.ask_in_background(task_id="task_456", user_id="user_123")
    client.wait_for("dialog", "confirm", "Found 5 errors, go on?")
    told = asked.result()
    assert (told["proceed"], told["feedback"], told["resolved_by"]) == (proceed, feedback, "user")


@pytest.mark.parametrize("library", LIBRARIES)
def test_gateway_that_stops_closes_its_clients(run_client, gateway, publisher, library):
    publisher.register("task-uuid-here")
    client = run_client("task-dialect.js", library, {"localhost:8800": f"127.0.0.1:{gateway.port}"})
    client.wait_for_line("Connected to task task-uuid-here")
    eventually(lambda: publisher.connections() == 1, "the connection is counted")
    gateway.stop()
    client.wait_for_line("WebSocket closed")
