"""What the browser tests share: a page server, a publisher, a browser that takes the examples' addresses to our gateway.

Import the fixtures by name into a test module.
"""

import contextlib
import functools
import http.server
import json
import pathlib
import shutil
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from support.process import API_KEY

PAGES = pathlib.Path(__file__).parent / "pages"
REPORTS = pathlib.Path(__file__).resolve().parents[2] / "reports" / "browser"
CHROMIUM = shutil.which("chromium")

# Seconds a condition may take. Generous: it is only spent when something is broken.
DEADLINE = 15
# Milliseconds, for Playwright's own waits.
DEADLINE_MS = DEADLINE * 1_000


def eventually(condition, what, deadline=DEADLINE):
    """The first true value of `condition`; fails with `what` when it stays false until the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline} s: {what}")
        threading.Event().wait(0.02)


class Publisher:
    """A worker's HTTP calls, with the standard library only."""

    def __init__(self, url, api_key=API_KEY):
        self.url = url
        self.api_key = api_key

    def call(self, method, path, body=None, expect=None):
        headers = {"Content-Type": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                status, answer = response.status, json.load(response)
        except urllib.error.HTTPError as error:
            status, answer = error.code, error.read().decode(errors="replace")
        allowed = (expect,) if expect else (200, 201, 202)
        assert status in allowed, f"{method} {path}: {status} {answer}"
        return answer

    def post(self, path, body=None, expect=None):
        return self.call("POST", path, {} if body is None else body, expect)

    def get(self, path, expect=None):
        return self.call("GET", path, None, expect)

    def register(self, task_id, **fields):
        return self.post("/api/v1/tasks", {"task_id": task_id, **fields})

    def progress(self, task_id, progress, **fields):
        return self.post(f"/api/v1/tasks/{task_id}/progress", {"progress": progress, **fields})

    def complete(self, task_id, **fields):
        return self.post(f"/api/v1/tasks/{task_id}/complete", fields)

    def error(self, task_id, error, **fields):
        return self.post(f"/api/v1/tasks/{task_id}/error", {"error": error, **fields})

    def task(self, task_id):
        return self.get(f"/api/v1/tasks/{task_id}")

    def connections(self):
        return self.get("/api/v1/status")["active_connections"]

    def ask_in_background(self, **fields):
        """Asks for a confirmation on a thread that holds the call, as a worker would; `.result()` is the answer."""
        body = {
            "step": 1,
            "step_result": {"step": "validation", "result": {"rows": 1_000, "errors": 5}, "completed": True,
                            "message": "Found 5 errors, go on?", "status": "completed",
                            "error_code": None, "error_message": None},
            "timeout": 40,
            **fields,
        }
        return Background(lambda: self.post("/api/v1/confirmations?wait=30", body))


class Background:
    """A call on its own thread, and its result."""

    def __init__(self, function):
        self.outcome = None
        self.thread = threading.Thread(target=self._run, args=(function,), daemon=True)
        self.thread.start()

    def _run(self, function):
        try:
            self.outcome = (True, function())
        except BaseException as error:  # an assertion of the thread belongs to the test
            self.outcome = (False, error)

    @property
    def done(self):
        return not self.thread.is_alive()

    def result(self, deadline=DEADLINE):
        self.thread.join(deadline)
        assert self.outcome is not None, f"the call did not return within {deadline} s"
        succeeded, value = self.outcome
        if not succeeded:
            raise value
        return value


class PageServer:
    """Serves pages/ as another origin would, with exact replacements, and hands /api/ on to a gateway.

    `answers` keeps the JSON of what was handed on, newest last.
    """

    def __init__(self):
        self.replacements = {}
        self.gateway_url = None
        self.answers = []
        handler = functools.partial(PageHandler, self)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class PageHandler(http.server.BaseHTTPRequestHandler):
    TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

    def __init__(self, pages, *arguments):
        self.pages = pages
        super().__init__(*arguments)

    def log_message(self, *_):
        pass

    def reply(self, status, content_type, body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/favicon.ico":  # browsers ask on their own, and would report a 404 as the page's problem
            self.reply(200, "image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg"/>')
            return
        path = PAGES / self.path.split("?")[0].lstrip("/")
        if path.parent != PAGES or path.suffix not in self.TYPES or not path.exists():
            self.reply(404, "text/plain", b"")
            return
        text = path.read_text(encoding="utf-8")
        for old, new in self.pages.replacements.items():
            text = text.replace(old, new)
        self.reply(200, self.TYPES[path.suffix], text.encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name: self.headers[name] for name in ("Content-Type", "Authorization") if name in self.headers}
        request = urllib.request.Request(self.pages.gateway_url + self.path, data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as response:
                status, answer = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, answer = error.code, error.read()
        with contextlib.suppress(ValueError):
            self.pages.answers.append(json.loads(answer))
        self.reply(status, "application/json", answer)


class Watched:
    """A page with everything it said: console lines by kind, errors, dialogs."""

    def __init__(self, page, accept_dialogs=True):
        self.page = page
        self.lines = []
        self.problems = []
        self.dialogs = []
        self.accept_dialogs = accept_dialogs
        page.set_default_timeout(DEADLINE_MS)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", self._dialog)

    def _console(self, message):
        self.lines.append(message.text)
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def _dialog(self, dialog):
        self.dialogs.append((dialog.type, dialog.message))
        if self.accept_dialogs:
            dialog.accept()
        else:
            dialog.dismiss()

    def wait(self, condition, what):
        """As `eventually`, while the browser's own events keep flowing in."""
        end = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"not within {DEADLINE} s: {what}\nthe page said: {self.lines}\nproblems: {self.problems}"
                            f"\ndialogs: {self.dialogs}")
            self.page.wait_for_timeout(20)

    def wait_for_line(self, line):
        self.wait(lambda: any(line in said for said in self.lines), f"the console line {line!r}")

    def wait_for_dialog(self, message):
        self.wait(lambda: any(message == said for _, said in self.dialogs), f"the dialog {message!r}")


class Browsers:
    """Chromium, one process per address map, closed at the end of the test."""

    def __init__(self, playwright, name):
        self.playwright = playwright
        self.name = name
        self.opened = []

    def open(self, *, ports=None, gateway=None, accept_dialogs=True, **context_options):
        """A new page. `ports`: the fixed ports of the examples that are to lead to `gateway`."""
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        if ports:
            rules = ", ".join(f"MAP localhost:{port} 127.0.0.1:{gateway.port}" for port in ports)
            arguments.append(f"--host-resolver-rules={rules}")
        browser = self.playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_context(**context_options).new_page()
        watched = Watched(page, accept_dialogs)
        self.opened.append((browser, page))
        return watched

    def close(self):
        for index, (browser, page) in enumerate(self.opened):
            with contextlib.suppress(Exception):
                REPORTS.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=REPORTS / f"{self.name}-{index}.png")
            browser.close()


@pytest.fixture(scope="module")
def playwright():
    """Per module: Playwright's synchronous interface keeps an event loop alive that other tests must not meet."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    with sync_api.sync_playwright() as running:
        yield running


@pytest.fixture
def browsers(playwright, request):
    opened = Browsers(playwright, request.node.name.replace("/", "_"))
    yield opened
    opened.close()


@pytest.fixture
def pages():
    server = PageServer()
    yield server
    server.stop()
