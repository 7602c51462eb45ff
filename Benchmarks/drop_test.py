#!/usr/bin/env python3
"""The drop test in full: 10,000 clients, 120 messages at two a second, and every client's TCP connection is broken
every 15 seconds, each at its own time, for two seconds. Every client must have every message exactly once. Python's
standard library only; against `.build/release/signalbox`, which it starts itself, on one machine.

    ./drop_test.py [--clients N] [--messages N] [--rate N] [--drop-every S] [--offline S] [--tasks N] [--processes N]
                   [--threads N] [--binary PATH]

Exit status 0 where everything was delivered, 1 otherwise. The gateway and each process of clients need a descriptor for
every client that they have (`ulimit -n`).
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Tests" / "EndToEndTests"))

from support.dropping import Profile, drop  # noqa: E402

API_KEY = "a-publisher-key-for-the-drop-test"
START_SECONDS_MAX = 10
STOP_SECONDS_MAX = 20
# Of the gateway and of a process of clients besides what clients need.
SPARE_DESCRIPTOR_COUNT = 128


def main() -> int:
    arguments = parse_arguments()
    profile = Profile(
        client_count=arguments.clients, message_count=arguments.messages, messages_per_second=arguments.rate,
        drop_every_seconds=arguments.drop_every, offline_seconds=arguments.offline,
        process_count=arguments.processes, task_count=arguments.tasks,
    )  # fmt: skip
    raise_descriptor_limit(profile.client_count + SPARE_DESCRIPTOR_COUNT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    with tempfile.TemporaryDirectory(prefix="signalbox-") as directory:
        gateway, host, port = start(arguments.binary, directory, arguments.threads)
        try:
            print(
                f"{profile.client_count} clients in {profile.process_count} processes, {profile.message_count} messages"
                f" at {profile.messages_per_second:g}/s to {profile.task_count} task(s), broken every"
                f" {profile.drop_every_seconds:g} s for {profile.offline_seconds:g} s",
                flush=True,
            )
            begun = time.monotonic()
            report = drop(host, port, API_KEY, profile)
            print(report)
            print(
                f"{time.monotonic() - begun:.0f} s; the gateway used {cpu_seconds(gateway.pid):.1f} s of CPU and"
                f" {peak_megabytes(gateway.pid)} MB at most"
            )
        finally:
            stop(gateway)
    if not report.is_whole:
        print("NOT everything was delivered exactly once")
        return 1
    print("every client got every message exactly once")
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="every client gets every message, however often its connection breaks")
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=120)
    parser.add_argument("--rate", type=float, default=2.0, help="messages a second")
    parser.add_argument("--drop-every", type=float, default=15.0, help="seconds")
    parser.add_argument("--offline", type=float, default=2.0, help="seconds")
    parser.add_argument("--tasks", type=int, default=1, help="tasks over which the clients are spread")
    parser.add_argument("--processes", type=int, default=2, help="processes that hold the clients")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="event loops of the gateway")
    parser.add_argument("--binary", default=str(ROOT / ".build" / "release" / "signalbox"))
    return parser.parse_args()


def raise_descriptor_limit(needed: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        sys.exit(f"{needed} descriptors are needed, the limit is {hard}: raise ulimit -Hn, or give fewer --clients")
    # Children inherit it.
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else needed, hard))


def start(binary: str, directory: str, threads: int) -> "tuple[subprocess.Popen[bytes], str, int]":
    """A gateway with a store on the disk, as it is by default, and where it listens."""
    log = pathlib.Path(directory) / "log"
    with log.open("wb") as output:
        gateway = subprocess.Popen(
            [
                binary, "serve", "--host", "127.0.0.1", "--port", "0", "--auth", "off", "--api-keys", API_KEY,
                "--threads", str(threads),
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output, cwd=directory,
        )  # fmt: skip
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until and gateway.poll() is None:
        found = re.search(r"http://([0-9.]+):(\d+)", log.read_text())
        if found:
            return gateway, found.group(1), int(found.group(2))
        time.sleep(0.02)
    gateway.kill()
    gateway.wait()
    sys.exit(f"the gateway did not say where it listens: {log.read_text()}")


def stop(gateway: "subprocess.Popen[bytes]") -> None:
    gateway.terminate()
    try:
        gateway.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        gateway.kill()
        gateway.wait()


def cpu_seconds(identifier: int) -> float:
    fields = pathlib.Path(f"/proc/{identifier}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_megabytes(identifier: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{identifier}/status").read_text())
    return int(found.group(1)) // 1024 if found else 0


if __name__ == "__main__":
    sys.exit(main())
