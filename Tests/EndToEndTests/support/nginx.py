"""Debian's nginx, run from the configuration that the project ships: only ports and log paths are put in."""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[3] / "deploy" / "nginx" / "signalbox.conf"
NODE_ADDRESSES = ("127.0.0.1:8765", "127.0.0.1:8766", "127.0.0.1:8767")
SECONDS_TO_START = 10.0

# What belongs into the main configuration of a machine, made small; every path below the test's own prefix.
MAIN = """\
{user}
worker_processes 2;
pid {prefix}/nginx.pid;
error_log {prefix}/main.error.log crit;
daemon off;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
    include {prefix}/signalbox.conf;
}}
"""


def binary():
    path = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert path, "nginx is not installed: scripts/install-system-packages.sh test"
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def replace_exactly(text, old, new, count):
    found = text.count(old)
    assert found == count, f"{SHIPPED.name} has {old!r} {found} times, must be {count}: the test substitutes it"
    return text.replace(old, new)


class Nginx:
    def __init__(self, prefix: Path, ports):
        self.prefix = prefix
        self.port = free_port()
        text = SHIPPED.read_text()
        # Comments may name ports and paths; only directives are substituted and counted.
        text = re.sub(r"(?m)^\s*#.*$", "", text)
        for address, port in zip(NODE_ADDRESSES, ports, strict=True):
            text = replace_exactly(text, f"server {address} ", f"server 127.0.0.1:{port} ", 2)
        text = replace_exactly(text, "listen 80;", f"listen 127.0.0.1:{self.port};", 1)
        text = replace_exactly(text, "/var/log/nginx/", f"{prefix}/", 2)
        (prefix / "signalbox.conf").write_text(text)
        # Workers of a root's nginx become another user, who may not enter the test's directory.
        user = "user root;" if os.geteuid() == 0 else ""
        (prefix / "nginx.conf").write_text(MAIN.format(prefix=prefix, user=user))
        command = [binary(), "-p", str(prefix), "-c", str(prefix / "nginx.conf"), "-e", str(prefix / "start.error.log")]
        self.process = subprocess.Popen(command)
        self._wait_until_listening()

    def _wait_until_listening(self):
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"nginx ended with {self.process.returncode}: {self.logs()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"nginx does not listen after {SECONDS_TO_START} s: {self.logs()}")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self):
        return f"ws://127.0.0.1:{self.port}"

    def access_log(self):
        return (self.prefix / "signalbox.access.log").read_text()

    def logs(self):
        return "\n".join(path.read_text() for path in sorted(self.prefix.glob("*.log")))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
