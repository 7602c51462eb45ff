#!/usr/bin/env python3
"""Takes the README's picture of the dashboard: docs/pictures/dashboard.png, from a real gateway with the demo's workers.

    scripts/take-pictures.py [--binary .build/release/signalbox]

Needs Playwright (pip install playwright) and Debian's chromium. Nothing but loopback is used.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

from playwright.sync_api import expect, sync_playwright

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
PICTURE = REPOSITORY / "docs" / "pictures" / "dashboard.png"
# Bytes: the README is read over slow lines too.
PICTURE_BYTE_COUNT_MAX = 200_000
# Milliseconds until the demo has shown all its kinds of task.
SCENE_TIMEOUT = 90_000


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def take(url):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1_080, "height": 825}).new_page()
        page.goto(f"{url}/ui/")
        # Scene: somebody has cancelled a task, one has failed, one is finished, a question waits for its answer.
        rendering = page.locator('.task[data-task-id^="render-"][data-status="running"]')
        expect(rendering.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile(r"[3-9]\d"),
                                                                       timeout=SCENE_TIMEOUT)
        rendering.locator('.task-action button').click()
        # The pointer would lie on some other button when the rows move.
        page.mouse.move(0, 0)
        for status in ("cancelled", "failed", "completed"):
            expect(page.locator(f'.task[data-status="{status}"]').first).to_be_visible(timeout=SCENE_TIMEOUT)
        expect(page.locator('.decision[data-state="open"]').first).to_be_visible(timeout=SCENE_TIMEOUT)
        expect(page.locator('.task[data-status="running"]').nth(2)).to_be_visible(timeout=SCENE_TIMEOUT)
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURE)
        browser.close()


def main():
    parser = argparse.ArgumentParser(description="Take the README's picture of the dashboard.")
    parser.add_argument("--binary", default=str(REPOSITORY / ".build" / "release" / "signalbox"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        gateway = subprocess.Popen([arguments.binary, "serve", "--dev", "--port", "0", "--store", "memory"],
                                   cwd=directory, stderr=subprocess.PIPE, text=True)
        demo = None
        try:
            url = None
            for line in gateway.stderr:
                found = re.search(r"http://[0-9a-z.\[\]:]+:\d+", line)
                if found:
                    url = found.group(0)
                    break
            if url is None:
                sys.exit("the gateway did not say where it listens")
            # Nobody else reads the gateway's log: a full pipe would stop it.
            threading.Thread(target=gateway.stderr.read, daemon=True).start()
            demo = subprocess.Popen([sys.executable, str(REPOSITORY / "scripts" / "demo.py"), "--url", url],
                                    stderr=subprocess.DEVNULL)
            take(url)
        finally:
            for process in (demo, gateway):
                if process is not None:
                    stop(process)
    size = PICTURE.stat().st_size
    if size >= PICTURE_BYTE_COUNT_MAX:
        sys.exit(f"{PICTURE} has {size} bytes, must have fewer than {PICTURE_BYTE_COUNT_MAX}")
    print(f"{PICTURE}: {size} bytes")


if __name__ == "__main__":
    main()
