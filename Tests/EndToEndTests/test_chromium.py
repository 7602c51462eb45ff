"""A real browser against the real gateway: the documented clients unchanged, the dashboard, refusals a page can see."""

import json
import pathlib
import re
import subprocess
import sys
import time

import pytest

from browser_support import DEADLINE_MS, Publisher, browsers, eventually, pages, playwright  # noqa: F401 (fixtures)
from support.process import API_KEY, JWT_SECRET
from support.tokens import token

expect = pytest.importorskip("playwright.sync_api", reason="pip install playwright").expect

OPEN = ("--auth", "off", "--api-keys", API_KEY)
HEARTBEAT_MS = 30_000


def colours(page, selector):
    return page.evaluate("selector => getComputedStyle(document.querySelector(selector)).backgroundColor", selector)


def close_of(page, url, protocols=()):
    """Opens a WebSocket in the page and tells how it was closed, or that it is open after its first message."""
    return page.evaluate(
        """([url, protocols]) => new Promise((resolve) => {
          const socket = new WebSocket(url, protocols);
          let opened = false;
          socket.onopen = () => { opened = true; };
          socket.onclose = (event) => resolve({ opened, code: event.code, reason: event.reason, clean: event.wasClean });
          socket.onmessage = (event) => {
            resolve({ opened, message: JSON.parse(event.data), protocol: socket.protocol,
                      extensions: socket.extensions });
            socket.onclose = null;
            socket.close();
          };
        })""",
        [url, list(protocols)],
    )


# ---- The documented clients, letter for letter -----------------------------------------------------------------------


class TestTaskDialectClient:
    """`ws://localhost:8800/ws/task/task-uuid-here?token=YOUR_JWT_TOKEN`"""

    @pytest.fixture
    def gateway(self, start_gateway, pages):
        return start_gateway(*OPEN, "--allowed-origins", pages.origin)

    @pytest.fixture
    def publisher(self, gateway):
        publisher = Publisher(gateway.url)
        publisher.register("task-uuid-here", title="批量索引")
        return publisher

    @pytest.fixture
    def client(self, browsers, gateway, publisher, pages):
        return browsers.open(ports=[8800], gateway=gateway)

    def test_bar_follows_the_progress_and_success_is_shown(self, client, publisher, pages):
        client.page.goto(f"{pages.origin}/task-dialect.html")
        client.wait_for_line("Connected to task task-uuid-here")
        client.wait_for_line("Current status: pending")
        client.wait_for_line("Current progress: 0%")
        bar = client.page.locator("#progress-bar")
        publisher.progress("task-uuid-here", 60, current=3, total=5, message="处理中 3/5")
        expect(bar).to_have_text("60%", timeout=DEADLINE_MS)
        assert bar.evaluate("bar => bar.style.width") == "60%"
        client.wait_for_line("Progress: 3/5 (60%)")
        client.wait_for_line("Message: 处理中 3/5")
        publisher.progress("task-uuid-here", 80, current=4, total=5, message="处理中 4/5")
        expect(bar).to_have_text("80%", timeout=DEADLINE_MS)
        publisher.complete("task-uuid-here", message="批量索引完成", result={"total": 5, "success": 5, "failed": 0})
        client.wait_for_line("Task completed!")
        client.wait_for_dialog("Success: 批量索引完成")
        client.wait_for_line("WebSocket closed")
        assert client.problems == []

    def test_failure_is_shown(self, client, publisher, pages):
        client.page.goto(f"{pages.origin}/task-dialect.html")
        client.wait_for_line("Connected to task task-uuid-here")
        publisher.error("task-uuid-here", "索引失败: 数据库连接错误", details={"traceback": "…"})
        client.wait_for_dialog("Error: 索引失败: 数据库连接错误")
        client.wait_for_line("WebSocket closed")

    def test_default_text_of_a_completion_without_a_message(self, client, publisher, pages):
        client.page.goto(f"{pages.origin}/task-dialect.html")
        client.wait_for_line("Connected to task task-uuid-here")
        publisher.complete("task-uuid-here")
        client.wait_for_dialog("Success: 任务完成")

    def test_page_that_comes_late_is_told_where_the_task_stands(self, client, publisher, pages):
        publisher.progress("task-uuid-here", 30, current=3, total=10)
        client.page.goto(f"{pages.origin}/task-dialect.html")
        client.wait_for_line("Current status: processing")
        client.wait_for_line("Current progress: 30%")

    def test_page_that_comes_after_the_end_is_told_the_result(self, client, publisher, pages):
        publisher.complete("task-uuid-here", message="批量索引完成", result={"total": 5})
        client.page.goto(f"{pages.origin}/task-dialect.html")
        client.wait_for_line("Current status: completed")
        client.wait_for_line("Current progress: 100%")
        client.wait_for_dialog("Success: 批量索引完成")

    def test_heartbeat_every_thirty_seconds_is_answered(self, client, pages):
        client.page.clock.install()
        client.page.goto(f"{pages.origin}/task-dialect.html")
        client.wait_for_line("WebSocket connected")
        assert "Heartbeat OK" not in client.lines
        client.page.clock.fast_forward(HEARTBEAT_MS)
        client.wait_for_line("Heartbeat OK")

    def test_many_pages_follow_one_task(self, browsers, gateway, publisher, pages):
        watching = [browsers.open(ports=[8800], gateway=gateway) for _ in range(2)]
        for client in watching:
            client.page.goto(f"{pages.origin}/task-dialect.html")
            client.wait_for_line("Connected to task task-uuid-here")
        publisher.progress("task-uuid-here", 42.5, current=17, total=40)
        for client in watching:
            expect(client.page.locator("#progress-bar")).to_have_text("42.5%", timeout=DEADLINE_MS)


class TestExecutionDialectClient:
    """`ws://localhost:8037/api/v1/ws/executions/{execution_id}`"""

    @pytest.fixture
    def gateway(self, start_gateway, pages):
        gateway = start_gateway(*OPEN, "--allowed-origins", pages.origin)
        pages.gateway_url = gateway.url
        return gateway

    @pytest.fixture
    def publisher(self, gateway):
        return Publisher(gateway.url)

    @pytest.fixture
    def client(self, browsers, gateway):
        return browsers.open(ports=[8037], gateway=gateway)

    def test_execution_that_completes(self, client, publisher, pages):
        publisher.register("your-execution-id")
        client.page.goto(f"{pages.origin}/execution-dialect.html")
        page = client.page
        client.wait_for_line("WebSocket连接已建立")
        expect(page.locator("#status")).to_have_text("pending")
        publisher.progress("your-execution-id", 50, message="执行中...")
        expect(page.locator("#status")).to_have_text("running", timeout=DEADLINE_MS)
        assert page.locator("#progress").evaluate("bar => bar.style.width") == "50%"
        publisher.complete("your-execution-id", result={"answer": 42, "text": "完成"})
        expect(page.locator("#result")).to_have_text('{"answer":42,"text":"完成"}', timeout=DEADLINE_MS)
        expect(page.locator("#status")).to_have_text("completed")
        client.wait_for_line("WebSocket连接已关闭")
        assert client.problems == []

    def test_execution_that_fails(self, client, publisher, pages):
        publisher.register("your-execution-id")
        client.page.goto(f"{pages.origin}/execution-dialect.html")
        publisher.error("your-execution-id", "node 3: 内存不足")
        expect(client.page.locator("#error")).to_have_text("node 3: 内存不足", timeout=DEADLINE_MS)
        expect(client.page.locator("#status")).to_have_text("failed")

    def test_unknown_execution_is_told_and_closed(self, client, pages):
        client.page.goto(f"{pages.origin}/execution-dialect.html")
        expect(client.page.locator("#error")).to_have_text("Execution not found", timeout=DEADLINE_MS)
        client.wait_for_line("WebSocket连接已关闭")

    def test_heartbeat_every_thirty_seconds_is_answered(self, client, publisher, pages):
        publisher.register("your-execution-id")
        client.page.clock.install()
        client.page.goto(f"{pages.origin}/execution-dialect.html")
        client.wait_for_line("WebSocket连接已建立")
        client.page.clock.fast_forward(HEARTBEAT_MS)
        client.wait_for_line("收到消息: {type: pong}")

    @pytest.mark.parametrize("end", ["completed", "failed"])
    def test_page_starts_an_execution_and_follows_it(self, client, publisher, pages, end):
        pages.replacements["YOUR_API_KEY"] = API_KEY
        client.page.goto(f"{pages.origin}/execution-start.html")
        client.wait_for_line("执行状态: pending")
        client.wait_for_line("进度: 0")
        execution = pages.answers[-1]
        assert execution["id"] == execution["execution_id"] and execution["status"] == "pending"
        publisher.progress(execution["id"], 50, message="执行中...")
        client.wait_for_line("执行状态: running")
        client.wait_for_line("进度: 50")
        if end == "completed":
            publisher.complete(execution["id"], result={"output": "好"})
            client.wait_for_line("执行结果: {output: 好}")
        else:
            publisher.error(execution["id"], "上游超时")
            client.wait_for_line("执行失败: 上游超时")


class TestActionDialectClient:
    """`ws://localhost:8765`"""

    @pytest.fixture
    def gateway(self, start_gateway, pages):
        return start_gateway(*OPEN, "--allowed-origins", pages.origin)

    @pytest.mark.parametrize("accept, feedback", [(True, "Agree to continue"), (False, "Cancel execution")])
    def test_question_is_answered_in_the_browser(self, browsers, gateway, pages, accept, feedback):
        client = browsers.open(ports=[8765], gateway=gateway, accept_dialogs=accept)
        client.page.goto(f"{pages.origin}/action-dialect.html")
        client.wait_for_line("WebSocket connection established")
        asked = Publisher(gateway.url).ask_in_background(task_id="task_456", user_id="user_123")
        client.wait(lambda: asked.done, "the answer reaches the worker's call")
        answer = asked.result()
        assert client.dialogs == [("confirm", "Found 5 errors, go on?")]
        assert (answer["proceed"], answer["feedback"], answer["resolved_by"]) == (accept, feedback, "user")
        assert answer["status"] == ("confirmed" if accept else "rejected")

    def test_question_asked_before_the_page_opened_is_still_answered(self, browsers, gateway, pages):
        publisher = Publisher(gateway.url)
        asked = publisher.ask_in_background(task_id="task_456", user_id="user_123")
        eventually(lambda: publisher.get("/api/v1/status")["pending_callbacks"] == 1, "the question is pending")
        client = browsers.open(ports=[8765], gateway=gateway)
        client.page.goto(f"{pages.origin}/action-dialect.html")
        client.wait(lambda: asked.done, "the answer reaches the worker's call")
        assert asked.result()["proceed"] is True

    def test_page_is_told_broadcasts_and_messages(self, browsers, gateway, pages):
        client = browsers.open(ports=[8765], gateway=gateway)
        client.page.goto(f"{pages.origin}/action-dialect.html")
        client.wait_for_line("WebSocket connection established")
        publisher = Publisher(gateway.url)
        publisher.post("/api/v1/broadcast", {"type": "system_notification", "message": "维护 in 5 minutes"})
        client.wait_for_line("message: 维护 in 5 minutes")
        publisher.post("/api/v1/users/user_123/messages", {"type": "personal_notification", "task_id": "task_456"})
        client.wait_for_line("type: personal_notification")

    def test_heartbeat_comes_back_with_what_was_sent(self, browsers, gateway, pages):
        client = browsers.open(ports=[8765], gateway=gateway)
        client.page.clock.install()
        client.page.goto(f"{pages.origin}/action-dialect.html")
        client.wait_for_line("WebSocket connection established")
        client.page.clock.fast_forward(HEARTBEAT_MS)
        client.wait_for_line("type: pong")


# ---- What a page can see of a refusal --------------------------------------------------------------------------------


class TestRefusals:
    def test_cap_is_a_readable_close(self, start_gateway, browsers, pages):
        gateway = start_gateway(*OPEN, "--allowed-origins", pages.origin, "--max-connections", "1")
        client = browsers.open()
        client.page.goto(f"{pages.origin}/blank.html")
        client.page.evaluate(
            """url => new Promise((resolve) => { window.first = new WebSocket(url); window.first.onopen = resolve; })""",
            f"{gateway.websocket_url}/ws")
        refused = close_of(client.page, f"{gateway.websocket_url}/ws")
        assert refused == {"opened": True, "code": 1013, "reason": "Server connection limit reached", "clean": True}
        client.page.evaluate("() => new Promise((done) => { window.first.onclose = done; window.first.close(); })")
        client.wait(lambda: "message" in close_of(client.page, f"{gateway.websocket_url}/ws", ["signalbox.v1"]),
                    "there is room again")

    @pytest.mark.parametrize("path, reason", [
        ("/ws/task/known", "Authentication failed"),
        ("/ws/task/known?token=nonsense", "Authentication failed"),
        ("/ws/task/unknown?token={token}", "Task not found"),
        ("/ws/task/private?token={token}", "Permission denied"),
    ])
    def test_reason_of_a_refused_token_is_readable(self, start_gateway, browsers, pages, path, reason):
        gateway = start_gateway("--auth", "required", "--api-keys", API_KEY, "--jwt-secret", JWT_SECRET,
                                "--allowed-origins", pages.origin)
        publisher = Publisher(gateway.url)
        publisher.register("known")
        publisher.register("private", owner="somebody-else")
        client = browsers.open()
        client.page.goto(f"{pages.origin}/blank.html")
        url = gateway.websocket_url + path.format(token=token("reader"))
        assert close_of(client.page, url) == {"opened": True, "code": 1008, "reason": reason, "clean": True}

    def test_page_of_a_strange_origin_is_refused(self, start_gateway, browsers, pages):
        gateway = start_gateway(*OPEN, "--allowed-origins", "https://elsewhere.example")
        client = browsers.open()
        client.page.goto(f"{pages.origin}/blank.html")
        refused = close_of(client.page, f"{gateway.websocket_url}/ws")
        assert (refused["opened"], refused["code"]) == (False, 1006)

    def test_token_in_a_subprotocol_is_taken_and_not_echoed(self, start_gateway, browsers, pages):
        gateway = start_gateway("--auth", "required", "--jwt-secret", JWT_SECRET, "--allowed-origins", pages.origin)
        client = browsers.open()
        client.page.goto(f"{pages.origin}/blank.html")
        secret = token("reader")
        told = close_of(client.page, f"{gateway.websocket_url}/ws", ["signalbox.v1", f"bearer.{secret}"])
        assert (told["message"]["type"], told["protocol"]) == ("welcome", "signalbox.v1")
        assert told["extensions"].startswith("permessage-deflate")
        assert secret not in json.dumps(told["message"])

    def test_single_connection_per_user_replaces_the_older_page(self, start_gateway, browsers, pages):
        gateway = start_gateway("--auth", "required", "--jwt-secret", JWT_SECRET, "--allowed-origins", pages.origin,
                                "--single-connection-per-user")
        client = browsers.open()
        client.page.goto(f"{pages.origin}/blank.html")
        url = f"{gateway.websocket_url}/ws?token={token('reader')}"
        replaced = client.page.evaluate(
            """url => new Promise((resolve) => {
              const older = new WebSocket(url);
              older.onclose = (event) => resolve([event.code, event.reason]);
              older.onopen = () => { window.newer = new WebSocket(url); };
            })""", url)
        assert replaced == [4500, "Replaced by a newer connection"]


# ---- Server-sent events ----------------------------------------------------------------------------------------------


def test_event_source_follows_a_task_from_its_snapshot(start_gateway, browsers):
    gateway = start_gateway("--dev")
    publisher = Publisher(gateway.url, api_key=None)
    publisher.progress("streamed", 20, message="一")
    client = browsers.open()
    client.page.goto(f"{gateway.url}/ui/")
    client.page.evaluate(
        """() => {
          window.told = [];
          const source = new EventSource('/api/v1/sse/tasks/streamed');
          // A refused stream is closed for good; one that was merely interrupted connects again.
          source.onerror = () => { if (source.readyState === EventSource.CLOSED) window.told.push(['refused']); };
          for (const type of ['snapshot', 'progress', 'complete']) {
            source.addEventListener(type, (event) => {
              window.told.push([type, JSON.parse(event.data), event.lastEventId]);
              if (type === 'complete') source.close();
            });
          }
        }""")
    client.wait(lambda: client.page.evaluate("window.told.length") == 1, "the snapshot")
    assert client.page.evaluate("window.told[0][0]") == "snapshot"
    publisher.progress("streamed", 70, message="二")
    publisher.complete("streamed", result={"n": 1})
    client.wait(lambda: client.page.evaluate("window.told.length") == 3, "the events")
    told = client.page.evaluate("window.told")
    assert [type for type, _, _ in told] == ["snapshot", "progress", "complete"]
    assert told[0][1]["progress"] == 20 and told[0][1]["message"] == "一"
    assert told[1][1]["progress"] == 70 and told[1][1]["message"] == "二"
    assert [identifier.split(":")[1] for _, _, identifier in told] == ["1", "2", "3"]


def test_event_source_comes_back_where_it_was_and_stops_after_the_end(start_gateway, browsers):
    gateway = start_gateway("--auth", "required", "--jwt-secret", JWT_SECRET, "--api-keys", API_KEY)
    publisher = Publisher(gateway.url)
    publisher.progress("resumed", 20)
    client = browsers.open()
    client.page.goto(f"{gateway.url}/ui/")
    client.page.evaluate(
        """url => {
          window.told = [];
          window.source = new EventSource(url);
          for (const type of ['snapshot', 'progress', 'complete']) {
            window.source.addEventListener(type, (event) => window.told.push([type, event.lastEventId.split(':')[1]]));
          }
        }""", f"/api/v1/sse/tasks/resumed?token={token('reader')}")
    client.wait(lambda: client.page.evaluate("window.told.length") == 1, "the snapshot")
    assert publisher.call("DELETE", "/api/v1/users/reader/connections")["connections"] == 1
    publisher.progress("resumed", 30)
    publisher.progress("resumed", 40)
    client.wait(lambda: client.page.evaluate("window.told.length") == 3, "what it has missed")
    publisher.complete("resumed")
    # It asks once more, is told 204, and stops by itself.
    client.wait(lambda: client.page.evaluate("window.source.readyState") == 2, "the end")
    assert client.page.evaluate("window.told") == [
        ["snapshot", "1"], ["progress", "2"], ["progress", "3"], ["complete", "4"]]


# ---- The dashboard ---------------------------------------------------------------------------------------------------


class TestDashboard:
    @pytest.fixture
    def gateway(self, start_gateway):
        return start_gateway("--dev")

    @pytest.fixture
    def publisher(self, gateway):
        return Publisher(gateway.url, api_key=None)

    @pytest.fixture
    def dashboard(self, browsers, gateway):
        client = browsers.open()
        client.page.goto(f"{gateway.url}/ui/")
        expect(client.page.locator("#connection")).to_have_attribute("data-state", "live", timeout=DEADLINE_MS)
        return client

    def row(self, dashboard, task_id):
        row = dashboard.page.locator(f'.task[data-task-id="{task_id}"]')
        expect(row).to_be_visible(timeout=DEADLINE_MS)
        return row

    def shut_listing(self, dashboard):
        """From here on only the WebSocket can move anything."""
        dashboard.page.route("**/api/v1/tasks?*", lambda route: route.abort())

    def subscribed(self, publisher, dashboard, task_id):
        """The page follows the task by its WebSocket: it sees a report that no listing told it."""
        row = self.row(dashboard, task_id)
        self.shut_listing(dashboard)
        return row

    def test_bar_moves_by_the_websocket_alone(self, dashboard, publisher):
        publisher.register("moving", title="批量索引文档", total=50)
        row = self.subscribed(publisher, dashboard, "moving")
        bar = row.get_by_role("progressbar")
        for percent in (10, 55, 90):
            publisher.progress("moving", percent, current=percent // 2, message=f"处理中 {percent // 2}/50")
            expect(bar).to_have_attribute("aria-valuenow", str(percent), timeout=DEADLINE_MS)
            expect(row.locator(".task-message")).to_have_text(f"处理中 {percent // 2}/50")
        expect(row).to_have_attribute("data-status", "running")
        expect(row.locator(".task-title")).to_have_text("批量索引文档")
        publisher.complete("moving", message="批量索引完成", result={"total": 50})
        expect(row).to_have_attribute("data-status", "completed", timeout=DEADLINE_MS)
        expect(bar).to_have_attribute("aria-valuenow", "100")
        row.locator(".task-name").click()
        expect(row.locator(".detail")).to_contain_text('"total": 50')

    def test_failure_shows_its_error(self, dashboard, publisher):
        publisher.register("failing", title="订单数据迁移")
        row = self.subscribed(publisher, dashboard, "failing")
        publisher.progress("failing", 63, message="已迁移 31,500 行")
        expect(row.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "63", timeout=DEADLINE_MS)
        publisher.error("failing", "数据库连接错误", error_code="E003")
        expect(row).to_have_attribute("data-status", "failed", timeout=DEADLINE_MS)
        expect(row.locator(".task-message")).to_have_text("数据库连接错误")
        expect(row.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "63")

    def test_newest_task_stands_first(self, dashboard, publisher):
        for name in ("first", "second", "third"):
            publisher.register(name)
            self.row(dashboard, name)
        rows = dashboard.page.locator(".task")
        expect(rows).to_have_count(3)
        assert [rows.nth(i).get_attribute("data-task-id") for i in range(3)] == ["third", "second", "first"]

    def test_page_shows_the_newest_hundred_and_says_so(self, dashboard, publisher):
        for index in range(101):
            publisher.register(f"task-{index:03}")
        self.row(dashboard, "task-100")
        rows = dashboard.page.locator(".task")
        expect(rows).to_have_count(100, timeout=DEADLINE_MS)
        expect(dashboard.page.locator('.task[data-task-id="task-000"]')).to_have_count(0)
        assert rows.first.get_attribute("data-task-id") == "task-100"
        expect(dashboard.page.locator("#bounded")).to_have_text("The newest 100 tasks are shown.")

    @pytest.mark.parametrize("button, proceed, status", [("Proceed", True, "confirmed"), ("Reject", False, "rejected")])
    def test_click_answers_the_waiting_call(self, dashboard, publisher, button, proceed, status):
        publisher.register("asking")
        asked = publisher.ask_in_background(task_id="asking", user_id="demo", default_proceed=False)
        decision = dashboard.page.locator(".decision")
        expect(decision).to_have_count(1, timeout=DEADLINE_MS)
        expect(decision).to_contain_text("Found 5 errors, go on?")
        expect(decision.locator(".decision-time")).to_contain_text("left, then it is rejected")
        decision.get_by_placeholder("Feedback").fill("我看过了")
        decision.get_by_role("button", name=button).click()
        dashboard.wait(lambda: asked.done, "the answer reaches the worker's call")
        answer = asked.result()
        assert (answer["status"], answer["proceed"], answer["feedback"]) == (status, proceed, "我看过了")
        expect(dashboard.page.locator(".decision")).to_have_attribute("data-state", "resolved", timeout=DEADLINE_MS)

    def test_question_answered_elsewhere_closes_here(self, dashboard, browsers, gateway, publisher):
        other = browsers.open()
        other.page.goto(f"{gateway.url}/ui/")
        asked = publisher.ask_in_background(task_id="asking", user_id="demo")
        expect(other.page.locator(".decision")).to_have_count(1, timeout=DEADLINE_MS)
        expect(dashboard.page.locator(".decision")).to_have_count(1, timeout=DEADLINE_MS)
        other.page.get_by_role("button", name="Proceed").click()
        expect(dashboard.page.locator(".decision")).to_have_attribute("data-state", "resolved", timeout=DEADLINE_MS)
        assert asked.result()["proceed"] is True

    def test_unanswered_question_ends_with_its_default(self, dashboard, publisher):
        asked = publisher.ask_in_background(task_id="asking", user_id="demo", timeout=2, default_proceed=False)
        expect(dashboard.page.locator(".decision-time")).to_contain_text("then it is rejected", timeout=DEADLINE_MS)
        expect(dashboard.page.locator(".decision-time")).to_have_text("Nobody answered: rejected", timeout=DEADLINE_MS)
        dashboard.wait(lambda: asked.done, "the worker is told the default")
        answer = asked.result()
        assert (answer["status"], answer["proceed"], answer["resolved_by"]) == ("timed_out", False, "timeout")

    def test_cancel_reaches_the_worker_and_its_answer_the_page(self, dashboard, publisher):
        publisher.progress("long", 20)
        row = self.row(dashboard, "long")
        assert publisher.progress("long", 21)["cancel_requested"] is False
        row.get_by_role("button", name="Cancel").click()
        expect(row.locator(".badge")).to_have_text("cancelling", timeout=DEADLINE_MS)
        dashboard.wait(lambda: publisher.progress("long", 22)["cancel_requested"], "the worker is told")
        publisher.post("/api/v1/tasks/long/cancel/ack")
        expect(row).to_have_attribute("data-status", "cancelled", timeout=DEADLINE_MS)
        expect(row.get_by_role("button", name="Cancel")).to_have_count(0)

    def test_figures_are_the_gateways(self, dashboard, publisher):
        publisher.progress("one", 1)
        publisher.progress("two", 1)
        publisher.complete("two")
        asked = publisher.ask_in_background(task_id="one", user_id="demo")
        page = dashboard.page
        expect(page.locator("#figure-connections")).to_have_text("1", timeout=DEADLINE_MS)
        expect(page.locator("#figure-running")).to_have_text("1", timeout=DEADLINE_MS)
        expect(page.locator("#figure-decisions")).to_have_text("1", timeout=DEADLINE_MS)
        page.get_by_role("button", name="Proceed").click()
        expect(page.locator("#figure-decisions")).to_have_text("0", timeout=DEADLINE_MS)
        assert asked.result()["proceed"] is True

    def test_text_of_peers_stays_text(self, dashboard, publisher):
        attack = '<img src=x onerror="window.attacked=1"><script>window.attacked=1</script>'
        publisher.register("attack", title=attack, kind=attack, metadata={"k": attack})
        publisher.progress("attack", 5, message=attack, details={"d": attack})
        row = self.row(dashboard, "attack")
        expect(row.locator(".task-title")).to_have_text(attack)
        row.locator(".task-name").click()
        expect(row.locator(".detail")).to_contain_text("onerror")
        assert dashboard.page.evaluate("window.attacked") is None
        assert row.locator(".detail img, .task-title img, script").count() == 0

    def test_page_obeys_its_own_policy(self, dashboard, gateway):
        response = dashboard.page.request.get(f"{gateway.url}/ui/")
        assert "default-src 'self'" in response.headers["content-security-policy"]
        assert "unsafe" not in response.headers["content-security-policy"]
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        again = dashboard.page.request.get(f"{gateway.url}/ui/", headers={"If-None-Match": response.headers["etag"]})
        assert again.status == 304
        assert dashboard.page.request.get(f"{gateway.url}/ui/nothing.js").status == 404
        assert dashboard.problems == []

    def test_page_comes_back_when_the_gateway_does(self, start_gateway, browsers):
        gateway = start_gateway("--dev")
        client = browsers.open()
        page = client.page
        page.goto(f"{gateway.url}/ui/")
        lamp = page.locator("#connection")
        expect(lamp).to_have_attribute("data-state", "live", timeout=DEADLINE_MS)
        gateway.stop()
        expect(lamp).not_to_have_attribute("data-state", "live", timeout=DEADLINE_MS)
        start_gateway("--dev", "--port", str(gateway.port))
        expect(lamp).to_have_attribute("data-state", "live", timeout=2 * DEADLINE_MS)
        publisher = Publisher(gateway.url, api_key=None)
        publisher.register("after")
        row = self.subscribed(publisher, client, "after")
        publisher.progress("after", 33)
        expect(row.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "33", timeout=DEADLINE_MS)

    def test_cap_is_named_and_waited_out(self, start_gateway, browsers):
        gateway = start_gateway("--dev", "--max-connections", "1")
        first, second = browsers.open(), browsers.open()
        first.page.goto(f"{gateway.url}/ui/")
        expect(first.page.locator("#connection")).to_have_attribute("data-state", "live", timeout=DEADLINE_MS)
        second.page.goto(f"{gateway.url}/ui/")
        expect(second.page.locator("#connection")).to_contain_text(
            re.compile(r"Server connection limit reached, again in \d+s"), timeout=DEADLINE_MS)
        first.page.goto("about:blank")
        expect(second.page.locator("#connection")).to_have_attribute("data-state", "live", timeout=2 * DEADLINE_MS)

    def test_token_is_asked_for_and_stays_in_the_tab(self, start_gateway, browsers):
        gateway = start_gateway("--auth", "required", "--api-keys", API_KEY, "--jwt-secret", JWT_SECRET)
        publisher = Publisher(gateway.url)
        publisher.register("mine", owner="reader")
        publisher.register("somebody-elses", owner="somebody-else")
        client = browsers.open()
        page = client.page
        page.goto(f"{gateway.url}/ui/")
        field = page.get_by_label("This gateway asks for a token")
        expect(field).to_be_visible(timeout=DEADLINE_MS)
        field.fill("nonsense")
        page.get_by_role("button", name="Use token").click()
        expect(page.get_by_role("alert")).to_contain_text("The token was refused", timeout=DEADLINE_MS)
        reader = token("reader", exp=int(time.time()) + 3_600)
        field.fill(reader)
        page.get_by_role("button", name="Use token").click()
        expect(page.locator("#connection")).to_have_text("live as reader", timeout=DEADLINE_MS)
        row = self.subscribed(publisher, client, "mine")
        publisher.progress("mine", 47)
        expect(row.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "47", timeout=DEADLINE_MS)
        expect(page.locator(".task")).to_have_count(1)
        assert reader not in page.url
        assert page.evaluate("sessionStorage.getItem('signalbox.token')") == reader
        assert page.evaluate("Object.keys(localStorage).length") == 0
        page.unroute("**/api/v1/tasks?*")
        page.reload()
        expect(page.locator("#connection")).to_have_text("live as reader", timeout=DEADLINE_MS)
        page.get_by_role("button", name="Forget token").click()
        expect(field).to_be_visible(timeout=DEADLINE_MS)
        assert page.evaluate("sessionStorage.getItem('signalbox.token')") is None

    @pytest.mark.parametrize("options", [
        {"viewport": {"width": 360, "height": 740}},
        {"viewport": {"width": 1_280, "height": 800}, "color_scheme": "dark"},
    ], ids=["phone", "dark"])
    def test_page_fits_the_screen_and_the_evening(self, gateway, publisher, browsers, options):
        publisher.register("wide", title="一个非常长的标题" * 12)
        publisher.progress("wide", 50, message="a-word-that-does-not-break-" * 12, current=10**9, total=10**12)
        publisher.ask_in_background(task_id="wide", user_id="demo")
        client = browsers.open(**options)
        client.page.goto(f"{gateway.url}/ui/")
        self.row(client, "wide")
        expect(client.page.locator(".decision")).to_be_visible(timeout=DEADLINE_MS)
        assert client.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        red, green, blue = map(int, re.findall(r"\d+", colours(client.page, "body"))[:3])
        assert (red + green + blue < 200) == (options.get("color_scheme") == "dark")


def test_embedded_dashboard_is_up_to_date():
    script = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "embed-dashboard.py"
    checked = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
