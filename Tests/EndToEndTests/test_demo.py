"""`make run` after its build: what somebody sees who tries Signalbox for the first time."""

import os
import pathlib
import signal
import socket
import subprocess

import pytest

from browser_support import DEADLINE_MS, Publisher, browsers, playwright  # noqa: F401 (fixtures)

expect = pytest.importorskip("playwright.sync_api", reason="pip install playwright").expect

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# Seconds after Ctrl-C until gateway and demo are gone.
END_SECONDS_MAX = 15
# Milliseconds until the demo's first question: the release task works for some seconds before it asks.
QUESTION_MS = 60_000


@pytest.fixture
def demo(tmp_path):
    """The script's process group, its URL and what it prints."""
    if not (REPOSITORY / ".build" / "release" / "signalbox").exists():
        pytest.skip("no release build: make build")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    output = tmp_path / "output"
    with open(output, "wb") as log:
        process = subprocess.Popen([REPOSITORY / "scripts" / "run-demo.sh"], stdout=log, stderr=log,
                                   env={**os.environ, "PORT": str(port)}, start_new_session=True)
    try:
        yield process, f"http://127.0.0.1:{port}", output
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_bars_move_and_a_question_is_asked(demo, browsers):
    process, url, output = demo
    client = browsers.open()
    client.wait(lambda: f"{url}/ui/" in output.read_text() or process.poll() is not None, "the address is printed")
    assert process.poll() is None, output.read_text()
    client.page.goto(f"{url}/ui/")
    row = client.page.locator('.task[data-task-id^="index-"]').first
    bar = row.get_by_role("progressbar")
    expect(bar).to_be_visible(timeout=DEADLINE_MS)
    fill = bar.locator(".bar-fill")

    def length():
        return fill.evaluate("fill => fill.getBoundingClientRect().right - fill.parentElement.getBoundingClientRect().left")

    seen = [length()]
    for _ in range(2):
        client.wait(lambda: length() > seen[-1] + 5, "the bar grows on the screen")
        seen.append(length())
    decision = client.page.locator('.decision[data-state="open"]').first
    expect(decision).to_contain_text("Release billing 2.4.0 to everybody?", timeout=QUESTION_MS)
    decision.get_by_role("button", name="Proceed").click()
    expect(client.page.locator('.task[data-task-id^="release-"] .task-message').first).to_contain_text(
        "% of traffic", timeout=DEADLINE_MS)
    assert client.problems == []


def test_interrupt_ends_gateway_and_demo(demo, browsers):
    process, url, output = demo
    client = browsers.open()
    client.wait(lambda: "demo: reporting to" in output.read_text() or process.poll() is not None, "the demo reports")
    assert process.poll() is None, output.read_text()
    assert Publisher(url, api_key=None).get("/api/v1/status")["running"] is True
    os.killpg(process.pid, signal.SIGINT)
    process.wait(END_SECONDS_MAX)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert "Traceback" not in output.read_text()
